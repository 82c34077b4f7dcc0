//! rustls: what it would say when ureq connects, and what its errors mean.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ALL_VERSIONS, AlertDescription, ClientConfig, RootCertStore};
use ureq::tls::{Certificate, ClientCert, TlsConfig};

pub(super) fn check_root(certificate: &Certificate<'_>) -> Result<(), String> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from(certificate.der())).map_err(|error| error.to_string())
}

/// Goes the way that ureq will go, but for its panic.
pub(super) fn check_client(config: &TlsConfig, client: &ClientCert) -> Result<(), String> {
    let provider = config.unversioned_rustls_crypto_provider().clone();
    let provider = provider.or_else(|| CryptoProvider::get_default().cloned());
    let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let chain = client.certs().iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let key = client.private_key();
    let der = key.der().to_vec();
    // What kind it is said to be. ureq does not export the type.
    let key = match format!("{:?}", key.kind()).as_str() {
        "Pkcs1" => PrivateKeyDer::Pkcs1(der.into()),
        "Sec1" => PrivateKeyDer::Sec1(der.into()),
        _ => PrivateKeyDer::Pkcs8(der.into()),
    };
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(ALL_VERSIONS)
        .map(|builder| builder.with_root_certificates(RootCertStore::empty()))
        .and_then(|builder| builder.with_client_auth_cert(chain, key))
        .map(drop)
        .map_err(|error| error.to_string())
}

/// rustls' error comes by itself, or inside that of the socket.
pub(super) fn is_refused(error: &ureq::Error) -> bool {
    use rustls::Error::{
        AlertReceived, InvalidCertificate, NoCertificatesPresented, PeerIncompatible, UnsupportedNameType,
    };
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    match error {
        Some(InvalidCertificate(_) | NoCertificatesPresented | PeerIncompatible(_) | UnsupportedNameType) => true,
        // What the server says of our certificate, or of there being none.
        Some(AlertReceived(alert)) => matches!(
            alert,
            AlertDescription::NoCertificate
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::UnknownCA
                // A signature that is not the authority's.
                | AlertDescription::DecryptError
                | AlertDescription::AccessDenied
        ),
        _ => false,
    }
}
