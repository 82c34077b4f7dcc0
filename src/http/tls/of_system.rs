//! The system's TLS library: what it would say when ureq connects, and what its errors mean.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use native_tls::{Identity, TlsConnector};
use ureq::tls::{Certificate, ClientCert, TlsConfig};

pub(super) fn check_root(certificate: &Certificate<'_>) -> Result<(), String> {
    native_tls::Certificate::from_der(certificate.der()).map(drop).map_err(|error| error.to_string())
}

/// Goes the way that ureq will go.
pub(super) fn check_client(_: &TlsConfig, client: &ClientCert) -> Result<(), String> {
    let chain: String = client.certs().iter().map(|certificate| pem("CERTIFICATE", certificate.der())).collect();
    let key = pem("PRIVATE KEY", client.private_key().der());
    let identity = Identity::from_pkcs8(chain.as_bytes(), key.as_bytes())
        .map_err(|error| format!("not a certificate with its key in PKCS#8: {error}"))?;
    // Whether the key is the certificate's shows only here. To load the system's certificates takes a while.
    let connector = TlsConnector::builder().identity(identity).disable_built_in_roots(true).build();
    connector.map(drop).map_err(|error| error.to_string())
}

fn pem(label: &str, der: &[u8]) -> String {
    const BYTES_A_LINE: usize = 48;
    let lines: String = der.chunks(BYTES_A_LINE).map(|line| BASE64_STANDARD.encode(line) + "\n").collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// There is an error type for each system, and none for the reason; but all of them say what they are about.
pub(super) fn is_refused(error: &ureq::Error) -> bool {
    let text = match error {
        ureq::Error::NativeTls(error) => error.to_string(),
        ureq::Error::Io(error) => error.get_ref().map(ToString::to_string).unwrap_or_default(),
        _ => return false,
    };
    ["certificate", "unknown ca", "access denied", "decrypt error"].iter().any(|reason| text.contains(reason))
}
