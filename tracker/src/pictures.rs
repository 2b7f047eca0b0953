//! Pictures of swarms' forests: `GET /swarms/CONTENT-ID/forest.json`.
//!
//! Whoever knows a content's id may see who feeds whom there, as numbers; see [`pleach_core::forest::picture`]. One is
//! drawn for a swarm at most once a second, however many ask.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use pleach_core::ids::ContentId;
use pleach_core::tracker::Tracker;
use tokio::time::Instant;

use crate::driver::Command;
use crate::routes::{App, ErrorJson};
use crate::server::Client;

/// How old a picture may be.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Pictures drawn lately. Those too old go whenever one is drawn, so no more are kept than were asked for in a second.
#[derive(Default)]
pub(crate) struct Pictures(HashMap<ContentId, (Instant, Bytes)>);

impl Pictures {
    /// The picture of a swarm as JSON; `None` if nobody is there.
    pub(crate) fn get(&mut self, content: ContentId, tracker: &Tracker) -> Option<Bytes> {
        if let Some((drawn, json)) = self.0.get(&content)
            && drawn.elapsed() < AGE_MAX
        {
            return Some(json.clone());
        }
        self.0.retain(|_, (drawn, _)| drawn.elapsed() < AGE_MAX);
        let picture = tracker.picture(content)?;
        let json = Bytes::from(serde_json::to_vec(&picture).expect("numbers and texts are JSON"));
        self.0.insert(content, (Instant::now(), json.clone()));
        Some(json)
    }
}

/// Answers the route.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(content): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ErrorJson> {
    let nobody = || ErrorJson::new(StatusCode::NOT_FOUND, "nobody is there");
    let content = content.parse().map_err(|_| nobody())?;
    if !app.origin_is_allowed(&headers) {
        return Err(ErrorJson::new(StatusCode::FORBIDDEN, "pages of this site may not use this tracker"));
    }
    if app.config.pictures_per_address_per_s_max == 0 {
        return Err(ErrorJson::new(StatusCode::NOT_FOUND, "this tracker shows no pictures"));
    }
    let address = client.address(&app.config.trusted_proxies, &headers);
    if let Err(wait) = app.picture_rate.check(address) {
        return Err(ErrorJson::too_many("too many pictures for your address", wait));
    }
    let json = app.driver.ask(|reply| Command::Picture { content, reply }).await?.ok_or_else(nobody)?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json).into_response())
}
