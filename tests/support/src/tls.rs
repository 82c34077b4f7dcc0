//! Certificates made for a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A certificate authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One that nobody trusts unless told to.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut params = named(&format!("authority {number}"), Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// What to trust to trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with a certificate for localhost and 127.0.0.1.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.issue(false, None)
    }

    /// A server with such a certificate, that serves only clients with a certificate of `clients`.
    pub fn server_for_clients_of(&self, clients: &Authority) -> Arc<ServerConfig> {
        self.issue(false, Some(clients))
    }

    /// A client: its certificate and its key, each in PEM.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    pub fn client(&self) -> (String, String) {
        let mut params = named("a client", Vec::new());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// A server whose certificate has expired.
    pub fn expired_server(&self) -> Arc<ServerConfig> {
        self.issue(true, None)
    }

    fn issue(&self, expired: bool, clients: Option<&Authority>) -> Arc<ServerConfig> {
        let mut params = named("a server", vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        if expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider's own versions");
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).expect("a certificate");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("a root certificate"))
            }
        };
        let config = config.with_single_cert(vec![certificate.into()], key).expect("a certificate with its key");
        Arc::new(config)
    }
}

/// A certificate to be. OpenSSL takes one whose issuer has its name for signed by itself.
fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).expect("good names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}
