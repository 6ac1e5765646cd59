//! Whether anybody scrapes, and whether a scrape has carried the news that the server is going: a drain with nobody
//! connected is over in less than a millisecond, and what Prometheus never saw it cannot excuse.
//!
//! Not everybody who reads `/metrics` is a scraper: a person with curl, `monitor.sh` and the live page of the ops listener
//! do so, too, and nobody's alerts depend on what they see. A scraper negotiates the exposition format or says who it is
//! (Prometheus, the agents of Grafana, of `VictoriaMetrics` and others), or it comes as regularly as a clock.
//!
//! Shared between threads on purpose: scrapes are answered on the operator's thread, and the shutdown asks on the main one.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::http::header::{ACCEPT, HeaderMap, USER_AGENT};
use tokio::sync::watch;

/// Prometheus, and whatever is built of its parts, sends it with each scrape.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
/// Media types of an exposition, as only scrapers ask for them.
const FORMATS: [&str; 2] = ["openmetrics", "version=0.0.4"];
/// How the names of scrapers begin, in lower case.
const SCRAPERS: [&str; 9] = [
    "prometheus/",
    "vm_promscrape",
    "vmagent",
    "grafanaagent",
    "alloy/",
    "datadog",
    "opentelemetry",
    "otelcol",
    "telegraf",
];
/// How the names of people's programs begin, in lower case: never scrapers, however regularly they come.
const PEOPLE: [&str; 4] = ["curl/", "wget/", "mozilla/", "httpie/"];
/// No scraper comes more often.
const MOST_OFTEN: Duration = Duration::from_secs(1);
/// Unknown programs whose pace is watched at a time; the one that was here longest ago is forgotten.
const WATCHED: usize = 16;

/// Who asked for the metrics, as far as one request tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// One who keeps what it reads.
    Scraper,
    /// A person, or a page before one.
    Person,
    /// A program that does not say; its pace may.
    Unknown {
        /// Where it asks from.
        address: Option<IpAddr>,
        /// `User-Agent`, or nothing.
        agent: String,
    },
}

impl Asker {
    /// By a request's headers.
    #[must_use]
    pub fn of(headers: &HeaderMap, address: Option<IpAddr>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_ascii_lowercase();
        let (agent, accept) = (text(USER_AGENT), text(ACCEPT));
        let begins = |names: &[&str]| names.iter().any(|name| agent.starts_with(name));
        if begins(&PEOPLE) || headers.contains_key("sec-fetch-mode") {
            Self::Person
        } else if headers.contains_key(SCRAPE_TIMEOUT)
            || begins(&SCRAPERS)
            || FORMATS.iter().any(|format| accept.contains(format))
        {
            Self::Scraper
        } else {
            Self::Unknown { address, agent }
        }
    }
}

/// What is known of scrapes. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Scrapes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: Mutex<Seen>,
    drain_scraped: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<Instant>,
    unknown: Vec<Pace>,
}

/// When an unknown program came, and how long after the time before.
#[derive(Debug)]
struct Pace {
    who: Asker,
    at: Instant,
    gap: Option<Duration>,
}

impl Default for Scrapes {
    fn default() -> Self {
        Self(Arc::new(Inner { seen: Mutex::default(), drain_scraped: watch::Sender::new(false) }))
    }
}

impl Scrapes {
    /// The metrics were given to `asker` at `now`; `draining`: with the news that the server is going.
    pub fn served(&self, asker: Asker, draining: bool, now: Instant) {
        let scrape = {
            let mut seen = self.seen();
            let scrape = match asker {
                Asker::Scraper => true,
                Asker::Person => false,
                Asker::Unknown { .. } => seen.comes_regularly(asker, now),
            };
            if scrape {
                seen.last = Some(now);
            }
            scrape
        };
        if scrape && draining {
            self.0.drain_scraped.send_replace(true);
        }
    }

    /// When the last scrape was answered.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        self.seen().last
    }

    /// Whether a scrape has carried the news.
    #[must_use]
    pub fn was_drain_scraped(&self) -> bool {
        *self.0.drain_scraped.borrow()
    }

    /// Waits for a scrape that carried the news; returns at once if one has.
    pub async fn drain_scraped(&self) {
        // It fails when the sender is gone, which lives as long as `self`.
        let _ = self.0.drain_scraped.subscribe().wait_for(|scraped| *scraped).await;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Whether it came after about the same time twice in a row.
    fn comes_regularly(&mut self, who: Asker, now: Instant) -> bool {
        if let Some(pace) = self.unknown.iter_mut().find(|pace| pace.who == who) {
            let gap = now.saturating_duration_since(pace.at);
            let regular = gap >= MOST_OFTEN && pace.gap.is_some_and(|before| gap.abs_diff(before) <= before / 4);
            (pace.at, pace.gap) = (now, Some(gap));
            return regular;
        }
        if self.unknown.len() == WATCHED {
            let longest_ago = self.unknown.iter().enumerate().min_by_key(|(_, pace)| pace.at).map_or(0, |(at, _)| at);
            self.unknown.swap_remove(longest_ago);
        }
        self.unknown.push(Pace { who, at: now, gap: None });
        false
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn asker(headers: &[(&'static str, &'static str)]) -> Asker {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Asker::of(&headers.collect(), Some(IpAddr::from([127, 0, 0, 1])))
    }

    #[test]
    fn scrapers_are_known_by_what_they_ask_for_and_by_their_names() {
        let scrapers: [&[(&str, &str)]; 6] = [
            &[("user-agent", "Prometheus/2.42.0"), ("accept", "*/*")],
            &[("user-agent", "vm_promscrape"), ("accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1")],
            &[("user-agent", "Alloy/v1.20.1"), (SCRAPE_TIMEOUT, "5")],
            &[("user-agent", "Datadog Agent/7.60.0")],
            &[("user-agent", "Go-http-client/1.1"), (SCRAPE_TIMEOUT, "10")],
            &[("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1")],
        ];
        for headers in scrapers {
            assert_eq!(asker(headers), Asker::Scraper, "{headers:?}");
        }
        let people: [&[(&str, &str)]; 4] = [
            &[("user-agent", "curl/7.88.1"), ("accept", "*/*")],
            &[("user-agent", "curl/7.88.1"), ("accept", "application/openmetrics-text")],
            &[("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("accept", "*/*")],
            &[("user-agent", "Ladybird"), ("sec-fetch-mode", "cors")],
        ];
        for headers in people {
            assert_eq!(asker(headers), Asker::Person, "{headers:?}");
        }
    }

    /// Whether the last of the requests after these times, in milliseconds, was taken for a scrape.
    fn is_scraper(headers: &[(&'static str, &'static str)], gaps: &[u64]) -> bool {
        let scrapes = Scrapes::default();
        let mut now = Instant::now();
        scrapes.served(asker(headers), false, now);
        for gap in gaps {
            now += Duration::from_millis(*gap);
            scrapes.served(asker(headers), false, now);
        }
        scrapes.last() == Some(now)
    }

    #[test]
    fn who_does_not_say_is_a_scraper_if_it_comes_regularly() {
        let unknown = [("user-agent", "in-house/1")];
        assert!(is_scraper(&unknown, &[10_000, 10_100]));
        assert!(is_scraper(&unknown, &[3_000, 60_000, 59_000]), "a scrape missed, or the first look by hand");
        for gaps in [&[][..], &[10_000], &[10_000, 3_000], &[20, 20, 20], &[0, 0]] {
            assert!(!is_scraper(&unknown, gaps), "{gaps:?}");
        }
    }

    #[test]
    fn a_person_who_looks_again_and_again_is_no_scraper() {
        assert!(!is_scraper(&[("user-agent", "curl/8.5.0")], &[10_000; 20]));
        assert!(!is_scraper(&[("user-agent", "Mozilla/5.0")], &[5_000; 20]));
        assert!(is_scraper(&[("user-agent", "Prometheus/3.15.0")], &[]));
    }

    #[test]
    fn only_a_scraper_carries_the_news() {
        let scrapes = Scrapes::default();
        scrapes.served(Asker::Person, true, Instant::now());
        assert!(!scrapes.was_drain_scraped() && scrapes.last().is_none());
        scrapes.served(Asker::Scraper, false, Instant::now());
        assert!(!scrapes.was_drain_scraped() && scrapes.last().is_some());
        scrapes.served(Asker::Scraper, true, Instant::now());
        assert!(scrapes.was_drain_scraped());
    }

    #[test]
    fn many_who_come_once_do_not_fill_the_memory_nor_hide_one_that_comes_regularly() {
        let scrapes = Scrapes::default();
        let stranger = |agent: &str| Asker::Unknown { address: None, agent: agent.to_owned() };
        let began = Instant::now();
        for second in 0..100 {
            let now = began + Duration::from_secs(second);
            scrapes.served(stranger(&second.to_string()), false, now);
            if second % 10 == 0 {
                scrapes.served(stranger("regular"), false, now);
            }
        }
        assert_eq!(scrapes.seen().unknown.len(), WATCHED);
        assert_eq!(scrapes.last(), Some(began + Duration::from_secs(90)));
    }
}
