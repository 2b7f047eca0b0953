//! One TLS configuration for all that this crate dials: `https` for manifests, `wss` for trackers.
//!
//! Certificates are judged by the operating system's own store, so a company's authority works as it does in the
//! browser. The cryptography is ring's, the same that WebRTC uses here: one provider in the program.

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

/// Why there is no TLS on this machine.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the certificates of this system could not be loaded: {0} (on Debian: apt install ca-certificates)")]
pub struct TlsError(String);

/// The shared configuration, made when it is first needed.
pub(crate) fn client_config() -> Result<Arc<ClientConfig>, TlsError> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, TlsError>> = OnceLock::new();
    CONFIG.get_or_init(|| build().map(Arc::new).map_err(|error| TlsError(error.to_string()))).clone()
}

/// For plain `http`, where a machine without certificates must still work: trusts nobody, should a server redirect to
/// `https` all the same.
pub(crate) fn client_config_for(scheme: &str) -> Result<Arc<ClientConfig>, TlsError> {
    client_config().or_else(|error| if scheme == "https" { Err(error) } else { trusting_nobody() })
}

fn trusting_nobody() -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()))
}

fn build() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
}
