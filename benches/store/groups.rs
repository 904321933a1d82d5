//! Criterion's view: each operation by itself, one store after the other.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};

use crate::fixture::Fixture;

pub(crate) fn run(fixtures: &mut [Fixture]) {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    // What a measurement adds or takes is taken or added outside of it, so that the depth stays.
    group(&mut criterion, "submit", fixtures, |fixture, count| {
        let spent = (0..count).map(|_| fixture.submit()).sum();
        fixture.claim_many(count);
        spent
    });
    group(&mut criterion, "claim", fixtures, |fixture, count| {
        fixture.submit_many(count);
        (0..count).map(|_| fixture.claim().0).sum()
    });
    group(&mut criterion, "mixed", fixtures, |fixture, count| {
        let begin = Instant::now();
        for _ in 0..count {
            fixture.submit();
            fixture.claim();
        }
        begin.elapsed()
    });
    criterion.final_summary();
}

fn group(
    criterion: &mut Criterion,
    name: &str,
    fixtures: &mut [Fixture],
    run: impl Fn(&mut Fixture, u64) -> Duration,
) {
    let mut group = criterion.benchmark_group(name);
    for fixture in fixtures {
        group.bench_function(BenchmarkId::from_parameter(fixture.jobs), |bencher| {
            bencher.iter_custom(|count| run(fixture, count));
        });
    }
    group.finish();
}
