//! What https trusts, what it shows of itself, and which library speaks it.

#[cfg(feature = "rustls")]
mod in_rust;
#[cfg(feature = "native-tls")]
mod of_system;

use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};

use super::HttpHandlerBuilder;
use crate::error::Error;

/// The library that speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsProvider {
    /// [rustls](https://docs.rs/rustls): TLS in Rust, the same on all systems. It trusts Mozilla's root certificates,
    /// which are built in. Needs the feature `rustls`.
    Rustls,
    /// The system's library, by way of [native-tls](https://docs.rs/native-tls): OpenSSL on Linux, `SChannel` on Windows,
    /// Secure Transport on macOS. It trusts what the system trusts. Needs the feature `native-tls`.
    NativeTls,
}

/// rustls, unless only the feature `native-tls` is on.
impl Default for TlsProvider {
    fn default() -> Self {
        if cfg!(feature = "rustls") { Self::Rustls } else { Self::NativeTls }
    }
}

/// The settings of TLS, as they were given.
#[derive(Clone, Default)]
pub(super) struct TlsSettings {
    provider: TlsProvider,
    root_certificates: Vec<Vec<u8>>,
    #[cfg(feature = "platform-verifier")]
    platform_verifier: bool,
    client_certificate: Option<(Vec<u8>, Vec<u8>)>,
    accept_invalid_certs: bool,
}

/// TLS: for https URLs, and for proxies that are spoken to by https.
impl HttpHandlerBuilder {
    /// Trusts the certificates in `pem`, one or several, and no others; may be called several times. Defaults to Mozilla's
    /// with [`TlsProvider::Rustls`], and to the system's with [`TlsProvider::NativeTls`].
    ///
    /// PEM without a certificate, and a certificate that can't be read, are errors of [`build`](Self::build).
    ///
    /// ```no_run
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("https://logs.example.com/ingest")
    ///     .root_certificate(std::fs::read("/etc/ssl/company.pem")?)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "ca")]
    #[doc(alias = "cafile")]
    #[doc(alias = "SSLContext")]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.root_certificates.push(pem.into());
        self
    }

    /// Trusts what the operating system trusts, and asks it: a company's own certificates that are installed there are
    /// good then. Defaults to not; what [`TlsProvider::NativeTls`] trusts is the system's anyway.
    ///
    /// With root certificates of [`root_certificate`](Self::root_certificate) too, it is an error of
    /// [`build`](Self::build).
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("https://logs.example.com/ingest").platform_verifier().build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[cfg(feature = "platform-verifier")]
    #[doc(alias = "native_certs")]
    pub fn platform_verifier(mut self) -> Self {
        self.tls.platform_verifier = true;
        self
    }

    /// Shows the server this certificate when it asks for one (mutual TLS). Defaults to none.
    ///
    /// `chain_pem` has the client's certificate, and behind it those that lead to one that the server trusts; `key_pem` has
    /// the key of the first one, not encrypted, in PKCS#8 (`BEGIN PRIVATE KEY`), or with [`TlsProvider::Rustls`] also in
    /// PKCS#1 or SEC 1. One file may hold both, and be given twice. A server that refuses the certificate is an
    /// [`Endpoint`](crate::ErrorClass::Endpoint) error: nothing is lost meanwhile.
    ///
    /// PEM without a certificate or without exactly one key, and a key that is not the certificate's, are errors of
    /// [`build`](Self::build).
    ///
    /// ```no_run
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("https://logs.example.com/ingest")
    ///     .client_certificate(std::fs::read("client.pem")?, std::fs::read("client.key")?)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "identity")]
    #[doc(alias = "mtls")]
    #[doc(alias = "load_cert_chain")]
    pub fn client_certificate(mut self, chain_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        self.tls.client_certificate = Some((chain_pem.into(), key_pem.into()));
        self
    }

    /// With `true`, takes whoever answers for the server: neither the certificate nor the name in it is looked at.
    /// Defaults to `false`.
    ///
    /// Whoever can get between then reads every record, every password and every token, and can answer 200 to what never
    /// arrives. To try something out on the machine at hand only; a server with a certificate of its own is
    /// [`root_certificate`](Self::root_certificate)'s.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("https://127.0.0.1:9443/log").danger_accept_invalid_certs(true).build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "insecure")]
    #[doc(alias = "verify")]
    #[doc(alias = "disable_verification")]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.tls.accept_invalid_certs = accept;
        self
    }

    /// Which library speaks TLS. Defaults to [`TlsProvider::Rustls`], or to [`TlsProvider::NativeTls`] where the feature
    /// `rustls` is off.
    ///
    /// Another crate in the program may have turned a feature on: where it matters which one it is, say it. One whose
    /// feature is off is an error of [`build`](Self::build).
    ///
    /// ```
    /// use logpost::{HttpHandler, TlsProvider};
    ///
    /// let builder = HttpHandler::builder("https://logs.example.com/ingest").tls_provider(TlsProvider::NativeTls);
    /// if cfg!(feature = "native-tls") {
    ///     builder.build()?;
    /// } else {
    ///     assert_eq!(builder.build().unwrap_err().setting(), Some("tls_provider"));
    /// }
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "use_rustls_tls")]
    #[doc(alias = "use_native_tls")]
    pub fn tls_provider(mut self, provider: TlsProvider) -> Self {
        self.tls.provider = provider;
        self
    }
}

impl TlsSettings {
    pub(super) fn accepts_invalid_certs(&self) -> bool {
        self.accept_invalid_certs
    }

    /// What ureq needs to know, checked: it would panic, or trust nobody, when it connects.
    pub(super) fn config(&self) -> Result<TlsConfig, Error> {
        let provider = match self.provider {
            TlsProvider::Rustls => ureq::tls::TlsProvider::Rustls,
            TlsProvider::NativeTls => ureq::tls::TlsProvider::NativeTls,
        };
        let client = self.client_certificate.as_ref();
        let client = client.map(|(chain, key)| read_client(chain, key)).transpose()?;
        let config = TlsConfig::builder()
            .provider(provider)
            .root_certs(self.roots()?)
            .client_cert(client)
            .disable_verification(self.accept_invalid_certs)
            .build();
        match problem_of(&config) {
            Some((setting, problem)) => Err(Error::invalid(setting, problem)),
            None => Ok(config),
        }
    }

    fn roots(&self) -> Result<RootCerts, Error> {
        let mut roots = Vec::new();
        for pem in &self.root_certificates {
            let certificates = read("root_certificate", pem)?.certificates;
            if certificates.is_empty() {
                return Err(Error::invalid("root_certificate", "the PEM has no certificate"));
            }
            roots.extend(certificates);
        }
        #[cfg(feature = "platform-verifier")]
        if self.platform_verifier {
            if !roots.is_empty() {
                return Err(Error::invalid("platform_verifier", "root certificates are given too"));
            }
            return Ok(RootCerts::PlatformVerifier);
        }
        Ok(match self.provider {
            _ if !roots.is_empty() => RootCerts::new_with_certs(&roots),
            TlsProvider::Rustls => RootCerts::WebPki,
            TlsProvider::NativeTls => RootCerts::PlatformVerifier,
        })
    }
}

/// What is wrong with a configuration, and by which of our settings that could have come about.
pub(super) fn problem_of(config: &TlsConfig) -> Option<(&'static str, String)> {
    match config.provider() {
        #[cfg(feature = "rustls")]
        ureq::tls::TlsProvider::Rustls => check(config, in_rust::check_root, in_rust::check_client),
        #[cfg(feature = "native-tls")]
        ureq::tls::TlsProvider::NativeTls => check(config, of_system::check_root, of_system::check_client),
        other => {
            let feature = if other == ureq::tls::TlsProvider::NativeTls { "native-tls" } else { "rustls" };
            Some(("tls_provider", format!("{other:?} needs logpost's feature `{feature}`")))
        }
    }
}

fn check(
    config: &TlsConfig,
    check_root: impl Fn(&Certificate<'_>) -> Result<(), String>,
    check_client: impl Fn(&TlsConfig, &ClientCert) -> Result<(), String>,
) -> Option<(&'static str, String)> {
    match config.root_certs() {
        // ureq leaves out what it can't parse without a word.
        RootCerts::Specific(roots) => {
            if let Err(problem) = roots.iter().try_for_each(check_root) {
                return Some(("root_certificate", format!("not a certificate: {problem}")));
            }
        }
        RootCerts::PlatformVerifier
            if config.provider() == ureq::tls::TlsProvider::Rustls && !cfg!(feature = "platform-verifier") =>
        {
            return Some(("platform_verifier", "needs logpost's feature `platform-verifier`".to_owned()));
        }
        RootCerts::WebPki if config.provider() == ureq::tls::TlsProvider::NativeTls => {
            return Some(("root_certificate", "only rustls has Mozilla's root certificates built in".to_owned()));
        }
        _ => {}
    }
    let problem = check_client(config, config.client_cert()?).err()?;
    Some(("client_certificate", problem))
}

/// Whether a handshake failed for a reason that will last: a certificate that one side refuses, or no common ground.
pub(super) fn is_refused(error: &ureq::Error) -> bool {
    #[cfg(feature = "rustls")]
    if in_rust::is_refused(error) {
        return true;
    }
    #[cfg(feature = "native-tls")]
    if of_system::is_refused(error) {
        return true;
    }
    matches!(error, ureq::Error::Pem(_))
}

#[derive(Default)]
struct Pem {
    certificates: Vec<Certificate<'static>>,
    keys: Vec<ureq::tls::PrivateKey<'static>>,
}

fn read(setting: &'static str, pem: &[u8]) -> Result<Pem, Error> {
    let mut found = Pem::default();
    for item in parse_pem(pem) {
        // Its text might have parts of a key.
        match item.map_err(|_| Error::invalid(setting, "not PEM"))? {
            PemItem::Certificate(certificate) => found.certificates.push(certificate),
            PemItem::PrivateKey(key) => found.keys.push(key),
            _ => {}
        }
    }
    Ok(found)
}

fn read_client(chain: &[u8], key: &[u8]) -> Result<ClientCert, Error> {
    const SETTING: &str = "client_certificate";
    let chain = read(SETTING, chain)?.certificates;
    if chain.is_empty() {
        return Err(Error::invalid(SETTING, "the PEM of the chain has no certificate"));
    }
    let mut keys = read(SETTING, key)?.keys;
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(ClientCert::new_with_certs(&chain, key)),
        (None, _) => Err(Error::invalid(SETTING, "the PEM of the key has no private key that is not encrypted")),
        (Some(_), _) => Err(Error::invalid(SETTING, "the PEM of the key has several private keys")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpHandler;

    fn builder() -> HttpHandlerBuilder {
        HttpHandler::builder("https://127.0.0.1:9/")
    }

    fn problem(builder: HttpHandlerBuilder) -> (&'static str, String) {
        let error = builder.build().unwrap_err();
        (error.setting().unwrap(), error.to_string())
    }

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    const GARBAGE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_is_not_a_certificate_is_an_error() {
        for provider in [TlsProvider::Rustls, TlsProvider::NativeTls] {
            let builder = builder().tls_provider(provider);
            if builder.clone().build().is_err() {
                continue; // its feature is off
            }
            for pem in ["", "hello", KEY, GARBAGE, BROKEN] {
                assert_eq!(problem(builder.clone().root_certificate(pem)).0, "root_certificate", "{pem}");
                assert_eq!(problem(builder.clone().client_certificate(pem, KEY)).0, "client_certificate", "{pem}");
            }
            for key in ["", GARBAGE, BROKEN, KEY, &KEY.repeat(2)] {
                assert_eq!(problem(builder.clone().client_certificate(GARBAGE, key)).0, "client_certificate", "{key}");
            }
        }
        assert!(builder().build().is_ok());
    }

    #[test]
    fn a_provider_that_is_missing_is_an_error_that_names_its_feature() {
        for (provider, feature, is_on) in [
            (TlsProvider::Rustls, "`rustls`", cfg!(feature = "rustls")),
            (TlsProvider::NativeTls, "`native-tls`", cfg!(feature = "native-tls")),
        ] {
            let builder = builder().tls_provider(provider);
            if is_on {
                assert!(builder.build().is_ok());
                continue;
            }
            let (setting, text) = problem(builder);
            assert_eq!(setting, "tls_provider");
            assert!(text.contains(feature), "{text}");
        }
    }

    #[test]
    fn rustls_is_the_default_where_both_are_there() {
        assert_eq!(TlsProvider::default() == TlsProvider::Rustls, cfg!(feature = "rustls"));
    }

    #[cfg(feature = "platform-verifier")]
    #[test]
    fn the_systems_verifier_and_root_certificates_contradict_each_other() {
        assert!(builder().platform_verifier().build().is_ok());
        let both = builder().platform_verifier().root_certificate(MOZILLA);
        assert_eq!(problem(both).0, "platform_verifier");
    }

    /// Some certificate: ISRG Root X2, which is in every browser.
    #[cfg(feature = "platform-verifier")]
    const MOZILLA: &str = "-----BEGIN CERTIFICATE-----
MIICGzCCAaGgAwIBAgIQQdKd0XLq7qeAwSxs6S+HUjAKBggqhkjOPQQDAzBPMQsw
CQYDVQQGEwJVUzEpMCcGA1UEChMgSW50ZXJuZXQgU2VjdXJpdHkgUmVzZWFyY2gg
R3JvdXAxFTATBgNVBAMTDElTUkcgUm9vdCBYMjAeFw0yMDA5MDQwMDAwMDBaFw00
MDA5MTcxNjAwMDBaME8xCzAJBgNVBAYTAlVTMSkwJwYDVQQKEyBJbnRlcm5ldCBT
ZWN1cml0eSBSZXNlYXJjaCBHcm91cDEVMBMGA1UEAxMMSVNSRyBSb290IFgyMHYw
EAYHKoZIzj0CAQYFK4EEACIDYgAEzZvVn4CDCuwJSvMWSj5cz3es3mcFDR0HttwW
+1qLFNvicWDEukWVEYmO6gbf9yoWHKS5xcUy4APgHoIYOIvXRdgKam7mAHf7AlF9
ItgKbppbd9/w+kHsOdx1ymgHDB/qo0IwQDAOBgNVHQ8BAf8EBAMCAQYwDwYDVR0T
AQH/BAUwAwEB/zAdBgNVHQ4EFgQUfEKWrt5LSDv6kviejM9ti6lyN5UwCgYIKoZI
zj0EAwMDaAAwZQIwe3lORlCEwkSHRhtFcP9Ymd70/aTSVaYgLXTWNLxBo1BfASdW
tL4ndQavEi51mI38AjEAi/V3bNTIZargCyzuFJ0nN6T5U6VR5CmD1/iQMVtCnwr1
/q4AaOeMSQ+2b1tbFfLn
-----END CERTIFICATE-----
";
}
