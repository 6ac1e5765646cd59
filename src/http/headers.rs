//! The headers of every answer, whatever it is.

/// The value of `Content-Security-Policy`: the page's own files and its own server,
/// nothing else, and nothing inline. `ws:` and `wss:` are named since not every browser counts them as `'self'`.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// The same for the files of the example client: its library has a worker that waits for hidden pages, whose timers browsers slow down.
pub(super) const EXAMPLE_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     worker-src blob:; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'none'";

/// What every answer tells browsers, whatever it is, unless it has a policy of its own.
pub(super) const STRICT: [(&str, &str); 4] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
];
