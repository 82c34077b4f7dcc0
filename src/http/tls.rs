//! What a TLS connection trusts.

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::Error;

/// Mozilla's root certificates, unless there are some of the user's own.
pub(super) fn config(root_certificates: &[Vec<u8>]) -> Result<TlsConfig, Error> {
    if root_certificates.is_empty() {
        return Ok(TlsConfig::default());
    }
    let mut roots = Vec::new();
    for pem in root_certificates {
        let before = roots.len();
        for item in parse_pem(pem) {
            let item = item.map_err(|error| invalid(&format!("not PEM: {error}")))?;
            if let PemItem::Certificate(certificate) = item {
                check(&certificate)?;
                roots.push(certificate);
            }
        }
        if roots.len() == before {
            return Err(invalid("the PEM has no certificate"));
        }
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build())
}

/// ureq leaves out what it can't parse without a word, and would trust nothing then.
fn check(certificate: &Certificate<'_>) -> Result<(), Error> {
    let der = rustls::pki_types::CertificateDer::from(certificate.der());
    let mut store = rustls::RootCertStore::empty();
    store.add(der).map_err(|error| invalid(&format!("not a certificate: {error}")))
}

fn invalid(problem: &str) -> Error {
    Error::invalid("root_certificate", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_certificate_is_an_error() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", key, garbage, broken] {
            let error = config(&[pem.as_bytes().to_vec()]).map(|_| ()).unwrap_err();
            assert_eq!(error.setting(), Some("root_certificate"), "{pem}");
        }
        assert!(config(&[]).is_ok());
    }
}
