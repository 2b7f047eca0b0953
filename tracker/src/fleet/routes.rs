//! What those say over HTTP who have the fleet's token: `Authorization: Bearer` and the token in hexadecimal.
//!
//! | request | what |
//! |---|---|
//! | `POST /fleet/deliveries` | an order; answered with how it stands |
//! | `GET /fleet/deliveries/ID` | how it stands |
//! | `POST /fleet/retry[?id=ID]` | repeats what failed of it, or of the last of which something did |
//! | `GET /fleet/report` | machines, deliveries and failures |

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pleach_core::fleet::{Refused, RefusedWhy};
use pleach_core::ids::RequestId;
use pleach_core::wire::fleet::api::DeliveryOrder;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Ask;
use crate::driver::Command;
use crate::routes::{App, ErrorJson};

impl From<Refused> for ErrorJson {
    fn from(refused: Refused) -> Self {
        let status = match refused.why {
            RefusedWhy::NotFound => StatusCode::NOT_FOUND,
            RefusedWhy::Invalid => StatusCode::CONFLICT,
            RefusedWhy::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refused.message)
    }
}

/// What is said where there is no fleet; also to agents.
pub(crate) fn no_fleet() -> ErrorJson {
    ErrorJson::new(StatusCode::NOT_IMPLEMENTED, "this tracker runs no fleet: it was started without --fleet-token-file")
}

/// Lets nobody in who does not have the token.
fn admit(app: &App, headers: &HeaderMap) -> Result<(), ErrorJson> {
    let token = app.fleet_token.ok_or_else(no_fleet)?;
    let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    if token.is_bearer(given) {
        return Ok(());
    }
    Err(ErrorJson::new(StatusCode::UNAUTHORIZED, "the token is not that of this tracker's fleet"))
}

async fn ask<T>(app: &App, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, ErrorJson> {
    Ok(app.driver.ask(|reply| Command::Fleet(ask(reply))).await?)
}

fn fresh(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// `POST /fleet/deliveries`.
pub(crate) async fn deliver(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, ErrorJson> {
    admit(&app, &headers)?;
    let order = DeliveryOrder::decode(&body);
    let order = order.map_err(|error| ErrorJson::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(fresh(ask(&app, |reply| Ask::Deliver { order, reply }).await??))
}

/// `GET /fleet/deliveries/ID`.
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    request: Result<Path<RequestId>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ErrorJson> {
    admit(&app, &headers)?;
    let Path(request) = request.map_err(|error| ErrorJson::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let found = ask(&app, |reply| Ask::Status { request, reply }).await?;
    found.map(fresh).ok_or_else(|| ErrorJson::new(StatusCode::NOT_FOUND, "no such delivery is known here"))
}

#[derive(Deserialize)]
pub(crate) struct RetryQuery {
    id: Option<RequestId>,
}

/// `POST /fleet/retry`.
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    query: Result<Query<RetryQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ErrorJson> {
    admit(&app, &headers)?;
    let Query(query) = query.map_err(|error| ErrorJson::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    Ok(fresh(ask(&app, |reply| Ask::Retry { request: query.id, reply }).await??))
}

/// `GET /fleet/report`.
pub(crate) async fn report(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ErrorJson> {
    admit(&app, &headers)?;
    Ok(fresh(ask(&app, |reply| Ask::Report { reply }).await?))
}
