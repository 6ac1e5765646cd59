//! The page at `/`, the example of a client, inside the binary: nothing to install beside it, and never of another
//! version than the server. Its sources are `clients/web/demo/`: plain files, no build step.

/// One file of the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageFile {
    /// Where it is served, from the root of the public listener.
    pub(super) path: &'static str,
    /// The value of `Content-Type`.
    pub(super) content_type: &'static str,
    /// The body.
    pub(super) body: &'static [u8],
}

/// What the page's answers should carry as `Content-Security-Policy`: the page's own files and its own server, nothing
/// else, and nothing inline. `ws:` and `wss:` are named since not every browser counts them as `'self'`.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

macro_rules! page_file {
    ($path:literal, $file:literal, $content_type:ident) => {
        PageFile {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../../clients/web/demo/", $file)),
        }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file of the page.
pub(super) const FILES: [PageFile; 8] = [
    page_file!("/", "index.html", HTML),
    page_file!("/app.js", "app.js", SCRIPT),
    page_file!("/mesh.js", "mesh.js", SCRIPT),
    page_file!("/rooms.js", "rooms.js", SCRIPT),
    page_file!("/signaling.js", "signaling.js", SCRIPT),
    page_file!("/style.css", "style.css", STYLE),
    page_file!("/texts.js", "texts.js", SCRIPT),
    page_file!("/view.js", "view.js", SCRIPT),
];

#[cfg(test)]
mod tests {
    use super::{FILES, HTML, SCRIPT};

    fn text(body: &[u8]) -> &str {
        std::str::from_utf8(body).expect("the page's files are UTF-8")
    }

    /// What stands between `open` and the next `close`, wherever `open` occurs in `text`.
    fn quoted<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    }

    fn is_served(name: &str) -> bool {
        FILES.iter().any(|file| file.path.trim_start_matches('/') == name)
    }

    #[test]
    fn whatever_the_page_refers_to_is_served() {
        for file in &FILES {
            let body = text(file.body);
            let references: Vec<&str> = match file.content_type {
                HTML => quoted(body, "src=\"", '"').chain(quoted(body, "href=\"", '"')).collect(),
                SCRIPT => quoted(body, " from './", '\'').collect(),
                _ => Vec::new(),
            };
            for name in references.into_iter().filter(|name| !name.starts_with("data:")) {
                assert!(is_served(name), "{} refers to {name}, which is not served", file.path);
            }
        }
    }

    #[test]
    fn nothing_in_the_page_is_inline_since_the_policy_forbids_it() {
        let index = text(FILES[0].body);
        assert!(!index.contains("<style") && !index.contains(" style=\""), "inline style");
        for attribute in quoted(index, " on", '"').filter(|text| !text.contains(char::is_whitespace)) {
            assert!(!attribute.ends_with('='), "inline handler: on{attribute}");
        }
        for script in quoted(index, "<script", '>') {
            assert!(script.contains("src=\""), "inline script: <script{script}>");
        }
    }

    #[test]
    fn others_words_are_never_taken_for_html() {
        for file in FILES.iter().filter(|file| file.content_type == SCRIPT) {
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text(file.body).contains(sink), "{} uses {sink}", file.path);
            }
        }
    }
}
