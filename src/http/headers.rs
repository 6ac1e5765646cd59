//! The headers of every answer, whatever it is.

/// The value of `Content-Security-Policy`: own files and the own server, nothing else, and nothing inline.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// What every answer tells browsers, whatever it is, unless it has a policy of its own.
pub(super) const STRICT: [(&str, &str); 5] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("permissions-policy", "camera=(), display-capture=(), microphone=()"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
];
