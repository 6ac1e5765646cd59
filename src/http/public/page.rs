//! The pages at `/`, inside the binary: nothing to install beside it, and never of another version than the server. On
//! the public listener it is the example of a client (`clients/web/demo/`), on the ops listener the live view of this
//! server (`clients/web/ops/`): plain files, without a build step but for the client library and the QR codes, whose files are committed.

/// One file of a page.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct PageFile {
    /// Where it is served, from the root of its listener.
    pub(in crate::http) path: &'static str,
    /// The value of `Content-Type`.
    pub(in crate::http) content_type: &'static str,
    /// The body.
    pub(in crate::http) body: &'static [u8],
}

macro_rules! page_file {
    ($page:literal, $path:literal, $file:literal, $content_type:ident) => {
        PageFile {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../../../clients/web/", $page, "/", $file)),
        }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file of the example client. `client.js` is the library, `qr.js` an encoder of QR codes: `npm run page` in `clients/web/client/`
/// makes them.
pub(in crate::http) const FILES: [PageFile; 13] = [
    page_file!("demo", "/", "index.html", HTML),
    page_file!("demo", "/app.js", "app.js", SCRIPT),
    page_file!("demo", "/client.js", "client.js", SCRIPT),
    page_file!("demo", "/files.js", "files.js", SCRIPT),
    page_file!("demo", "/invite.js", "invite.js", SCRIPT),
    page_file!("demo", "/mesh-graph.js", "mesh-graph.js", SCRIPT),
    page_file!("demo", "/qr.js", "qr.js", SCRIPT),
    page_file!("demo", "/rooms.js", "rooms.js", SCRIPT),
    page_file!("demo", "/share.css", "share.css", STYLE),
    page_file!("demo", "/style.css", "style.css", STYLE),
    page_file!("demo", "/texts.js", "texts.js", SCRIPT),
    page_file!("demo", "/transfers.js", "transfers.js", SCRIPT),
    page_file!("demo", "/view.js", "view.js", SCRIPT),
];

/// Every file of the operator's live view.
pub(in crate::http) const OPERATOR_FILES: [PageFile; 14] = [
    page_file!("ops", "/", "index.html", HTML),
    page_file!("ops", "/actions.js", "actions.js", SCRIPT),
    page_file!("ops", "/api.js", "api.js", SCRIPT),
    page_file!("ops", "/app.js", "app.js", SCRIPT),
    page_file!("ops", "/cards.js", "cards.js", SCRIPT),
    page_file!("ops", "/chart.js", "chart.js", SCRIPT),
    page_file!("ops", "/dialogs.js", "dialogs.js", SCRIPT),
    page_file!("ops", "/exposition.js", "exposition.js", SCRIPT),
    page_file!("ops", "/figures.js", "figures.js", SCRIPT),
    page_file!("ops", "/mesh.js", "mesh.js", SCRIPT),
    page_file!("ops", "/recording.js", "recording.js", SCRIPT),
    page_file!("ops", "/rooms.js", "rooms.js", SCRIPT),
    page_file!("ops", "/style.css", "style.css", STYLE),
    page_file!("ops", "/texts.js", "texts.js", SCRIPT),
];

/// Whether one of these is at that path, written as it is here. They hold nothing of this server: whoever has the program has them.
pub(in crate::http) fn is_operator_file(path: &str) -> bool {
    OPERATOR_FILES.iter().any(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::{FILES, HTML, OPERATOR_FILES, PageFile, SCRIPT};

    /// Each page with the answers of its listener that it may link to besides its files.
    const PAGES: [(&[PageFile], &[&str]); 2] = [(&FILES, &[]), (&OPERATOR_FILES, &["metrics", "errors", "health"])];

    fn text(body: &[u8]) -> &str {
        std::str::from_utf8(body).expect("the page's files are UTF-8")
    }

    /// What stands between `open` and the next `close`, wherever `open` occurs in `text`.
    fn quoted<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    }

    fn is_served(page: &[PageFile], name: &str) -> bool {
        page.iter().any(|file| file.path.trim_start_matches('/') == name)
    }

    #[test]
    fn whatever_a_page_refers_to_is_served() {
        for (page, answers) in PAGES {
            for file in page {
                let body = text(file.body);
                let references: Vec<&str> = match file.content_type {
                    HTML => quoted(body, "src=\"", '"').chain(quoted(body, "href=\"", '"')).collect(),
                    SCRIPT => {
                        let imports = quoted(body, " from './", '\'').chain(quoted(body, "import('./", '\''));
                        imports.chain(quoted(body, "new URL('", '\'')).collect()
                    }
                    _ => Vec::new(),
                };
                for name in references.into_iter().filter(|name| !name.starts_with("data:")) {
                    let found = is_served(page, name) || answers.contains(&name);
                    assert!(found, "{} refers to {name}, which is not served", file.path);
                }
            }
        }
    }

    #[test]
    fn nothing_in_a_page_is_inline_since_the_policy_forbids_it() {
        for (page, _) in PAGES {
            let index = text(page[0].body);
            assert!(!index.contains("<style") && !index.contains(" style=\""), "inline style");
            for attribute in quoted(index, " on", '"').filter(|text| !text.contains(char::is_whitespace)) {
                assert!(!attribute.ends_with('='), "inline handler: on{attribute}");
            }
            for script in quoted(index, "<script", '>') {
                assert!(script.contains("src=\""), "inline script: <script{script}>");
            }
        }
    }

    #[test]
    fn others_words_are_never_taken_for_html() {
        for file in PAGES.iter().flat_map(|(page, _)| *page).filter(|file| file.content_type == SCRIPT) {
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text(file.body).contains(sink), "{} uses {sink}", file.path);
            }
        }
    }
}
