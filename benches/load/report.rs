//! Figures of several repetitions, put side by side.

use crate::histogram::Histogram;

/// What one repetition of a scenario found out.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    /// Figures that are no latency: what it is, how much, the unit.
    pub(crate) notes: Vec<(&'static str, f64, &'static str)>,
}

/// One operation under load.
pub(crate) struct Row {
    pub(crate) name: String,
    /// Operations per second.
    pub(crate) rate: f64,
    pub(crate) took: Histogram,
    /// The server's processor time for each, microseconds; unknown for a server that was not started here.
    pub(crate) processor: Option<f64>,
}

/// Prints what each target did in each repetition: `outcomes[target][repetition]`. Ratios are against the first target,
/// in the same repetition.
pub(crate) fn print(scenario: &str, targets: &[&str], outcomes: &[Vec<Outcome>]) {
    println!("\n## {scenario}, load average {}\n", load());
    println!("| | | per second | p50 | p99 | p99.9 | worst, ms | CPU us each | first / this |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for index in 0..outcomes[0][0].rows.len() {
        let rates = |target: usize| -> Vec<f64> {
            outcomes[target].iter().map(|outcome| outcome.rows[index].rate).collect()
        };
        for (number, target) in targets.iter().enumerate() {
            let rows = outcomes[number].iter().map(|outcome| &outcome.rows[index]);
            let mut took = Histogram::default();
            rows.clone().for_each(|row| took.merge(&row.took));
            let processor: Option<Vec<f64>> = rows.clone().map(|row| row.processor).collect();
            let processor = processor.map_or_else(String::new, |all| format!("{:.0}", median(all)));
            let ratios =
                rates(0).iter().zip(rates(number)).map(|(first, this)| first / this).collect();
            let ratio = if number == 0 { String::new() } else { spread(ratios, 2) };
            println!(
                "| {} | {target} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {processor} | {ratio} |",
                outcomes[0][0].rows[index].name,
                spread(rates(number), 0),
                took.quantile(0.5),
                took.quantile(0.99),
                took.quantile(0.999),
                took.worst(),
            );
        }
    }
    for index in 0..outcomes[0][0].notes.len() {
        for (target, outcomes) in targets.iter().zip(outcomes) {
            let (name, _, unit) = outcomes[0].notes[index];
            let all = outcomes.iter().map(|outcome| outcome.notes[index].1).collect();
            println!("- {name}, {target}: {} {unit}", spread(all, 2));
        }
    }
}

/// The median, and the range when there is one.
fn spread(all: Vec<f64>, digits: usize) -> String {
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(0.0, f64::max);
    let many = all.len() > 1;
    let range = if many { format!(" ({low:.digits$}-{high:.digits$})") } else { String::new() };
    format!("{:.digits$}{range}", median(all))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// What else the machine does, for the record.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
