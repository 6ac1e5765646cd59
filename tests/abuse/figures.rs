//! The figures of `make abuse`: what must hold of them, and the table that shows them.

use std::{
    fmt::{Display, Write as _},
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{
    meter::{Held, Scale},
    table::{Flood, Newcomers},
    uninvolved::{Looks, Noticed, Uninvolved},
};

/// What `make abuse` demands of its figures: the time that a probe, a scrape and a join may take, ...
const LOOK_P99: Duration = Duration::from_secs(1);
/// ... a frame from one uninvolved peer to another, ...
const RELAY_P99: Duration = Duration::from_millis(100);
/// ... and memory until it is back within one and a half of what it was.
const BACK: Duration = Duration::from_secs(30);

/// What the full form looks at, and sees. The cgroup in it must outlive the server.
pub(crate) struct Figures {
    pub(crate) scale: Scale,
    pub(crate) before: Held,
    pub(crate) uninvolved: Option<Uninvolved>,
    pub(crate) looks: Looks,
    pub(crate) most: Held,
    /// What is not as it must be.
    pub(crate) wrong: Vec<String>,
    pub(crate) is_written: bool,
}

impl Figures {
    /// How long memory takes to be back within one and a half of what it was, and what it is then.
    pub(crate) fn comes_back(&mut self) -> (Duration, Held) {
        let ended = Instant::now();
        loop {
            let now = self.scale.look();
            if now.all() * 2 <= self.before.all() * 3 {
                return (ended.elapsed(), now);
            }
            if ended.elapsed() > BACK {
                let (now, before) = (now.all_mib(), self.before.all_mib());
                self.wrong.push(format!("{now} MiB are held {BACK:?} later, {before} before"));
                return (ended.elapsed(), self.scale.look());
            }
            // Memory is read from `/proc`, which wakes nobody.
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn judge(&mut self, flood: &Flood, budget: f64, noticed: &mut Noticed) {
        let looks = &mut self.looks;
        let mut wrong = |is_so: bool, text: String| self.wrong.extend(is_so.then_some(text));
        let bytes = |bytes: u64| bytes as f64;
        let grown = bytes(self.most.all().saturating_sub(self.before.all()));
        wrong(grown > 1.15 * budget, format!("{grown} bytes more were held, and {budget} may be"));
        for (what, times) in
            [("/healthz", &mut looks.healthz), ("/metrics", &mut looks.metrics), ("a join", &mut looks.join)]
        {
            let took = times.p99();
            wrong(took > LOOK_P99, format!("{what} took {took:?}, the 99th percentile of {}", times.count()));
        }
        let took = noticed.relay.p99();
        wrong(took > RELAY_P99, format!("a frame took {took:?}, the 99th percentile of {}", noticed.relay.count()));
        let (connections, frames) = (noticed.lost_connections, noticed.lost_frames);
        wrong(connections > 0, format!("{connections} uninvolved connections were lost"));
        wrong(frames > 0, format!("{frames} uninvolved frames were lost, first told {:?}", noticed.first_error));
        let refused = looks.refused;
        let may_join = flood.newcomers == Newcomers::Join;
        wrong(may_join && refused > 0, format!("{refused} joins from uninvolved addresses were refused"));
        let failed = &looks.failed;
        wrong(!failed.is_empty(), format!("{} looks failed, first {:?}", failed.len(), failed.first()));
    }

    pub(crate) fn write(
        &mut self,
        flood: &Flood,
        addresses: usize,
        (back, after): (Duration, Held),
        noticed: &mut Noticed,
        wrong: &[String],
    ) {
        self.is_written = true;
        let looks = &mut self.looks;
        let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        let figures = [
            self.before.all_mib().to_string(),
            self.most.all_mib().to_string(),
            (self.most.tcp >> 20).to_string(),
            after.all_mib().to_string(),
            format!("{:.1}", back.as_secs_f64()),
            milliseconds(looks.healthz.p99()),
            milliseconds(looks.metrics.p99()),
            milliseconds(looks.join.p99()),
            format!("{}/{}", looks.refused, looks.join.count()),
            milliseconds(noticed.relay.p99()),
            milliseconds(noticed.late.p99()),
            format!("{}/{}", noticed.lost_connections, noticed.lost_frames),
        ];
        let verdict =
            if wrong.is_empty() { "holds".to_owned() } else { format!("DOES NOT HOLD: {}", wrong.join("; ")) };
        write(&format!("{:<34}{addresses:>5}{}  {verdict}\n", flood.test, columns(&figures)));
    }
}

fn columns(figures: &[impl Display]) -> String {
    figures.iter().fold(String::new(), |mut line, figure| {
        // Writing to memory does not fail.
        let _ = write!(line, "{figure:>10}");
        line
    })
}

/// The table of what was seen, which `make abuse` removes before and shows after.
pub(crate) fn write(line: &str) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("abuse.txt");
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the table of figures");
    if is_new {
        let heads = [
            "MiB",
            "most",
            "of it TCP",
            "after",
            "back s",
            "healthz",
            "metrics",
            "join",
            "refused",
            "relay",
            "late",
            "lost",
        ];
        writeln!(file, "{:<34}{:>5}{}\n", "flood", "from", columns(&heads)).expect("write the head");
    }
    file.write_all(line.as_bytes()).expect("write a line");
}
