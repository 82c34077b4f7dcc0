//! The page: one HTML file with its script and its style in it.

use std::sync::LazyLock;

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("../page/style.css");
const SCRIPT: &str = concat!(
    "\"use strict\";\n{\n",
    include_str!("../page/model.js"),
    include_str!("../page/chart.js"),
    include_str!("../page/list.js"),
    include_str!("../page/detail.js"),
    include_str!("../page/main.js"),
    "}\n"
);

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = include_str!("../page/page.html").replace("/* style.css */", STYLE);
    page.replace("/* script */", SCRIPT)
});

/// Nothing but this script and this style runs here, and nothing of a record can become a part of the document: the sinks that make
/// markup of text are shut by `require-trusted-types-for`, in browsers that know it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

pub(crate) async fn page() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, POLICY.as_str())], Html(PAGE.as_str()))
}

pub(crate) async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml")], include_str!("../page/icon.svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_one_file_with_one_script_and_one_style() {
        assert_eq!(PAGE.matches(&format!("<script>{SCRIPT}</script>")).count(), 1);
        assert_eq!(PAGE.matches(&format!("<style>{STYLE}</style>")).count(), 1);
        assert_eq!((PAGE.matches("<script").count(), PAGE.matches("<style").count()), (1, 1));
        for outside in ["http://", "https://", "//cdn", "@import", "url("] {
            let rest = PAGE.replace("http://www.w3.org/2000/svg", "");
            assert!(!rest.contains(outside), "{outside}");
        }
    }

    #[test]
    fn nothing_in_the_script_makes_markup_or_code_of_text() {
        let sinks = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "srcdoc",
            "eval(",
            "Function(",
            "createContextualFragment",
            "setHTMLUnsafe",
            "javascript:",
            ".href",
        ];
        for sink in sinks {
            assert!(!SCRIPT.contains(sink), "{sink}");
        }
        for attribute in [" style=", " onclick", " onload", " onerror"] {
            assert!(!PAGE.contains(attribute), "{attribute} would be stopped by the policy");
        }
    }
}
