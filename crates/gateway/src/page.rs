//! The live board: a page built from `demo/` with the TypeScript SDK, and kept in the binary.

use std::{io::Write, sync::LazyLock};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
        ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use sha1_smol::Sha1;

use crate::http::Answer;

/// The page takes everything from here, and is shown in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The page itself is asked for each time, and answered with its tag when it is the same.
const REVALIDATED: &str = "no-cache";
/// The page names its parts by what is in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A file of the page, as it is sent.
struct File {
    path: &'static str,
    content_type: &'static str,
    cache_control: &'static str,
    plain: &'static [u8],
    gzipped: Bytes,
    tag: HeaderValue,
}

static FILES: LazyLock<[File; 3]> = LazyLock::new(|| {
    [
        file("/", "text/html; charset=utf-8", REVALIDATED, include_bytes!("../page/index.html")),
        file("/board.js", "text/javascript; charset=utf-8", FOR_EVER, include_bytes!("../page/board.js")),
        file("/board.css", "text/css; charset=utf-8", FOR_EVER, include_bytes!("../page/board.css")),
    ]
});

fn file(
    path: &'static str,
    content_type: &'static str,
    cache_control: &'static str,
    plain: &'static [u8],
) -> File {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Nothing can fail in memory; were it to, the empty file below would not be what it decodes to.
    let gzipped = gzip.write_all(plain).and_then(|()| gzip.finish()).unwrap_or_default();
    let tag = format!("\"{}\"", Sha1::from(plain).digest());
    let tag = HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    File { path, content_type, cache_control, plain, gzipped: gzipped.into(), tag }
}

/// The answer to a GET of a file of the page; `None` when there is no such file, or when somebody at `/` does not ask for
/// HTML: `curl` gets a list of what there is.
pub(crate) fn answer(path: &str, headers: &HeaderMap) -> Option<Answer> {
    if path == "/" && !names(headers, ACCEPT, "text/html") {
        return None;
    }
    let file = FILES.iter().find(|file| file.path == path)?;
    let mut response = Response::new(Full::default());
    let answered = response.headers_mut();
    let fixed = [
        (CACHE_CONTROL, file.cache_control),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (VARY, "accept, accept-encoding"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        answered.insert(name, HeaderValue::from_static(value));
    }
    answered.insert(ETAG, file.tag.clone());
    if headers.get_all(IF_NONE_MATCH).iter().any(|known| known == file.tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(response);
    }
    answered.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    let body = if names(headers, ACCEPT_ENCODING, "gzip") {
        answered.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        file.gzipped.clone()
    } else {
        Bytes::from_static(file.plain)
    };
    *response.body_mut() = Full::new(body);
    Some(response)
}

/// Whether a list in a header names this, and not with a weight of nothing.
fn names(headers: &HeaderMap, header: HeaderName, name: &str) -> bool {
    headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts.next().is_some_and(|found| found.eq_ignore_ascii_case(name))
                && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::try_from(*value).unwrap())).collect()
    }

    #[test]
    fn a_browser_gets_the_page_and_curl_the_list() {
        let browser = headers(&[(ACCEPT, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]);
        let page = answer("/", &browser).unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(answer("/", &headers(&[(ACCEPT, "*/*")])).is_none());
        assert!(answer("/", &headers(&[(ACCEPT, "text/html;q=0")])).is_none());
        assert!(answer("/board.txt", &browser).is_none());
    }

    #[test]
    fn what_is_compressed_is_the_same() {
        for file in FILES.iter() {
            let mut plain = Vec::new();
            GzDecoder::new(&file.gzipped[..]).read_to_end(&mut plain).unwrap();
            assert_eq!(plain, file.plain);
        }
        let packed = answer("/board.js", &headers(&[(ACCEPT_ENCODING, "br, gzip")])).unwrap();
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        let plain = answer("/board.js", &headers(&[(ACCEPT_ENCODING, "br, gzip;q=0")])).unwrap();
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
    }

    #[test]
    fn a_page_that_is_known_is_not_sent_again() {
        let tag = FILES[1].tag.to_str().unwrap().to_owned();
        let known = answer("/board.js", &headers(&[(IF_NONE_MATCH, &tag)])).unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        let other = answer("/board.js", &headers(&[(IF_NONE_MATCH, "\"other\"")])).unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn the_page_names_files_that_there_are() {
        let page = std::str::from_utf8(FILES[0].plain).unwrap();
        for file in &FILES[1..] {
            assert!(page.contains(&format!("\"{}?v=", &file.path[1..])), "{}", file.path);
        }
    }
}
