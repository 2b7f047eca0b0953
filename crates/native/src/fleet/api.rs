//! What who delivers says to the tracker: JSON over HTTP, with the fleet's token.

use pleach_core::ids::RequestId;
use pleach_core::wire::fleet::api::{DeliveryOrder, DeliveryStatus, Report};
use pleach_core::wire::fleet::token::FleetToken;
use reqwest::{Method, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::http::{self, HttpError};

/// Longest answer: a report of as many machines and deliveries as a tracker knows.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Why a tracker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It was not reached, or did not answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It refused.
    #[error("{message}")]
    Refused {
        /// For programs.
        status: StatusCode,
        /// For people.
        message: String,
    },
    /// It answered what can't be understood.
    #[error("{host} does not answer as a tracker with a fleet does: {reason}")]
    Answer {
        /// Who.
        host: String,
        /// Why.
        reason: String,
    },
}

impl ApiError {
    /// Whether it may work later, with everything as it is.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Http(error) => error.is_temporary(),
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Answer { .. } => false,
        }
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

/// A tracker with a fleet, as those know it who have its token.
#[derive(Clone, Debug)]
pub struct FleetApi {
    base: Url,
    token: FleetToken,
}

/// What a tracker answers that refuses.
#[derive(Deserialize)]
struct ErrorJson {
    error: String,
}

impl FleetApi {
    /// The tracker at `base`, its address without a path.
    pub fn new(base: Url, token: FleetToken) -> Self {
        Self { base, token }
    }

    /// Orders a delivery. The same order again is answered alike.
    pub async fn deliver(&self, order: &DeliveryOrder) -> Result<DeliveryStatus, ApiError> {
        let body = serde_json::to_string(order).expect("an order is plain data");
        self.ask(Method::POST, "fleet/deliveries", body).await
    }

    /// How a delivery stands.
    pub async fn status(&self, request: RequestId) -> Result<DeliveryStatus, ApiError> {
        self.ask(Method::GET, &format!("fleet/deliveries/{request}"), String::new()).await
    }

    /// Repeats what failed of a delivery, or of the last of which something did.
    pub async fn retry(&self, request: Option<RequestId>) -> Result<DeliveryStatus, ApiError> {
        let which = request.map(|request| format!("?id={request}")).unwrap_or_default();
        self.ask(Method::POST, &format!("fleet/retry{which}"), String::new()).await
    }

    /// Machines, deliveries and failures.
    pub async fn report(&self) -> Result<Report, ApiError> {
        self.ask(Method::GET, "fleet/report", String::new()).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: String) -> Result<T, ApiError> {
        let host = http::host_of(&self.base);
        let answer = |reason: String| ApiError::Answer { host: host.clone(), reason };
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| answer(error.to_string()))?;
        let request = http::client(&url)?.request(method, url).body(body);
        let response = request.header(header::AUTHORIZATION, self.token.bearer()).send().await;
        let response = response.map_err(|error| http::explain(&host, &error))?;
        let status = response.status();
        let bytes = http::body(response, &host, ANSWER_BYTES_MAX).await?;
        if !status.is_success() {
            let told = serde_json::from_slice::<ErrorJson>(&bytes).map(|told| told.error);
            let message = told.unwrap_or_else(|_| format!("{host} answered {status}"));
            return Err(ApiError::Refused { status, message });
        }
        serde_json::from_slice(&bytes).map_err(|error| answer(error.to_string()))
    }
}
