use std::time::Duration;

use testflinger_server::domain::{
    AgentPost, BlobKind, Clock, Fragment, JobId, JobState, Log, LogKind, Phase, Subject,
};
use testflinger_server::ops::{self, Posted, Submission, Why};
use testflinger_server::store::{
    AgentReads, Ages, BlobReads, Class, HistoryReads, JobReads, LogReads, QueueReads, ResultReads,
    Swept, WriteTx,
};

use crate::support::{Lab, agents, queues, submission};

const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

fn ages() -> Ages {
    Ages {
        jobs: WEEK,
        files: WEEK,
        agents: WEEK,
        queues: WEEK,
        refresh: WEEK,
        drain: Duration::from_hours(4),
    }
}

fn sweep(lab: &Lab, limit: usize) -> Swept {
    let ages = ages();
    lab.store.write::<_, ops::Error>(move |tx, now| Ok(tx.sweep(&ages, now, limit)?)).unwrap()
}

/// A job with a result, an artifact and attachments, which are as old as the lab's clock says.
fn job(lab: &Lab) -> JobId {
    let id = lab.submit(Submission { attachments: true, ..submission("q") }).unwrap();
    let (mut archive, mut artifact) = (lab.blob(), lab.blob());
    archive.created_at = lab.clock.now();
    artifact.created_at = lab.clock.now();
    let who = crate::support::by(None);
    lab.store
        .write(move |tx, now| {
            ops::put_attachments(tx, now, id, &archive, &who)?;
            ops::put_artifact(tx, id, &artifact, &who)
        })
        .unwrap();
    let long = format!("\"{}\"", "x".repeat(100_000));
    let members = [("test_output".to_owned(), long), ("test_status".to_owned(), "0".to_owned())];
    lab.post(id, Posted { members: members.into(), ..Posted::default() }, None);
    id
}

fn files(lab: &Lab) -> usize {
    let folders = std::fs::read_dir(lab.dir.path()).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

/// What is left of a job: record, body, results, files, history.
fn left(lab: &Lab, id: JobId) -> [bool; 6] {
    let tx = lab.store.read().unwrap();
    [
        tx.job(id).unwrap().is_some(),
        tx.job_body(id).unwrap().is_some(),
        !tx.result(id).unwrap().is_empty(),
        tx.blob(id, BlobKind::Artifact).unwrap().is_some(),
        tx.blob(id, BlobKind::Attachments).unwrap().is_some(),
        !tx.history(&Subject::Job(id)).unwrap().is_empty(),
    ]
}

fn pin(lab: &Lab, id: JobId, pinned: bool) {
    let who = crate::support::by(None);
    lab.store.write(move |tx, now| ops::pin(tx, now, id, pinned, &who)).unwrap();
}

#[test]
fn a_finished_job_goes_after_a_week_with_everything_that_belongs_to_it() {
    let lab = Lab::new();
    let id = job(&lab);
    lab.clock.advance(DAY);
    lab.post_state(id, "complete", None);
    lab.clock.advance(DAY * 6 + DAY / 2);
    sweep(&lab, 100);
    // The files count from their arrival, the job from its end.
    assert_eq!(left(&lab, id), [true, true, true, false, false, true]);
    lab.clock.advance(DAY / 2 + Duration::from_micros(1));
    assert!(sweep(&lab, 100).removed > 0);
    assert_eq!(left(&lab, id), [false; 6]);
    assert_eq!(files(&lab), 0);
    let tx = lab.store.read().unwrap();
    assert_eq!(tx.jobs_after(0, 10).unwrap(), []);
    assert_eq!(tx.queue_jobs_after(&queues(&["q"])[0], 0, 10).unwrap(), []);
    assert_eq!(tx.result_chunk(id, "test_output", 0).unwrap(), None);
}

#[test]
fn an_unfinished_job_never_goes_and_keeps_its_files() {
    let lab = Lab::new();
    let (waiting, running) = (job(&lab), job(&lab));
    lab.post_state(running, "test", None);
    for _ in 0..5 {
        lab.clock.advance(DAY * 30);
        assert_eq!(sweep(&lab, 100), Swept::default());
    }
    for id in [waiting, running] {
        assert_eq!(left(&lab, id), [true; 6]);
    }
    assert_eq!(files(&lab), 4);
    lab.post_state(running, "complete", None);
    lab.clock.advance(DAY * 8);
    sweep(&lab, 100);
    assert_eq!(left(&lab, running), [false; 6]);
    assert_eq!(files(&lab), 2);
}

#[test]
fn a_pinned_job_never_goes_until_it_is_unpinned() {
    let lab = Lab::new();
    let id = job(&lab);
    lab.cancel(id).unwrap();
    pin(&lab, id, true);
    for _ in 0..5 {
        lab.clock.advance(DAY * 30);
        assert_eq!(sweep(&lab, 100), Swept::default());
        assert_eq!(left(&lab, id), [true; 6]);
    }
    pin(&lab, id, false);
    sweep(&lab, 100);
    assert_eq!(left(&lab, id), [false; 6]);
}

/// A job whose first try failed: the try has a result, and an artifact as old as the lab's clock says.
fn tried(lab: &Lab) -> JobId {
    lab.enrol(&["a", "b"], &["q"]);
    let id = lab.submit(Submission { retries: Some(1), ..submission("q") }).unwrap();
    assert_eq!(lab.claim(&["q"], Some("a")), Some(id));
    lab.post_state(id, "provision", Some("a"));
    let mut artifact = lab.blob();
    artifact.created_at = lab.clock.now();
    let who = crate::support::by(Some("a"));
    lab.store.write(move |tx, _| ops::put_artifact(tx, id, &artifact, &who)).unwrap();
    report_failure(lab, id);
    assert_eq!(lab.job(id).unwrap().tried.len(), 1);
    id
}

fn report_failure(lab: &Lab, id: JobId) {
    let members = [("provision_status".to_owned(), "1".to_owned())].into();
    let state = Some(JobState::new("complete"));
    lab.post(id, Posted { members, state, ..Posted::default() }, Some("a"));
}

/// Whether the result and the artifact of the first try are there.
fn left_of_try(lab: &Lab, kept: JobId) -> [bool; 2] {
    let tx = lab.store.read().unwrap();
    [!tx.result(kept).unwrap().is_empty(), tx.blob(kept, BlobKind::Artifact).unwrap().is_some()]
}

#[test]
fn what_is_kept_of_a_try_stays_and_goes_with_its_job() {
    let lab = Lab::new();
    let id = tried(&lab);
    let kept = lab.job(id).unwrap().tried[0].kept;
    // Its answer was lost, so the agent reports again.
    report_failure(&lab, id);
    lab.clock.advance(WEEK + DAY);
    sweep(&lab, 100);
    assert_eq!(left_of_try(&lab, kept), [true; 2], "the job has not ended");
    lab.cancel(id).unwrap();
    pin(&lab, id, true);
    lab.clock.advance(WEEK + DAY);
    sweep(&lab, 100);
    let freed = lab.store.write(|tx, _| ops::free_files(tx, u64::MAX, None, 100)).unwrap();
    assert_eq!((freed.files, left_of_try(&lab, kept)), (0, [true; 2]), "the job is pinned");
    pin(&lab, id, false);
    let going = |lab: &Lab| {
        let tx = lab.store.read().unwrap();
        let page = ops::going(&tx, lab.clock.now(), (&ages(), 0), None, 100).unwrap();
        page.items.into_iter().map(|(due, _)| (due.kind, due.name, due.bytes)).collect::<Vec<_>>()
    };
    // The bytes of `Lab::blob`.
    assert_eq!(going(&lab), [(Class::Job, id.to_string(), 5)]);
    let swept = sweep(&lab, 100);
    assert_eq!((swept.removed, swept.bytes, swept.more), (1, 5, false));
    assert_eq!((left(&lab, id), left_of_try(&lab, kept), files(&lab)), ([false; 6], [false; 2], 0));
}

#[test]
fn the_artifact_of_a_try_goes_before_its_time_while_too_little_is_free() {
    let lab = Lab::new();
    let id = tried(&lab);
    let kept = lab.job(id).unwrap().tried[0].kept;
    let free = || lab.store.write(|tx, _| ops::free_files(tx, 1, None, 100)).unwrap().files;
    assert_eq!(free(), 0, "the job has not ended");
    lab.cancel(id).unwrap();
    assert_eq!((free(), left_of_try(&lab, kept), files(&lab)), (1, [true, false], 0));
}

#[test]
fn a_sweep_removes_no_more_than_it_may_and_says_that_there_is_more() {
    let lab = Lab::new();
    for _ in 0..5 {
        let id = lab.submit(submission("q")).unwrap();
        lab.cancel(id).unwrap();
    }
    lab.clock.advance(DAY * 8);
    let swept: Vec<Swept> = (0..4).map(|_| sweep(&lab, 2)).collect();
    let expect = |removed, more| Swept { removed, more, bytes: 0 };
    assert_eq!(swept, [expect(2, true), expect(2, true), expect(1, false), expect(0, false)]);
}

#[test]
fn an_agent_that_was_taken_out_of_service_stays_until_it_is_put_back() {
    let kept = [("state", "offline"), ("state", "maintenance"), ("state", "restart")]
        .into_iter()
        .chain([("mode", "OFFLINE"), ("mode", "MAINTENANCE"), ("mode", "restart")]);
    for (member, word) in kept {
        let lab = Lab::new();
        let post = |word: &str| {
            let comment = ("comment".to_owned(), "\"is being moved\"".to_owned());
            let fields = [(member.to_owned(), format!("\"{word}\"")), comment].into();
            lab.post_agent("a", AgentPost { fields, ..AgentPost::default() });
        };
        let agent = || lab.store.read().unwrap().agent(&agents(&["a"])[0]).unwrap();
        post(word);
        let before = agent();
        for _ in 0..5 {
            lab.clock.advance(DAY * 30);
            assert_eq!(sweep(&lab, 100), Swept::default());
            assert_eq!(agent(), before, "{member} {word}");
        }
        post("online");
        lab.clock.advance(DAY * 8);
        assert_eq!(sweep(&lab, 100).removed, 1);
        assert_eq!(agent(), None);
    }
}

#[test]
fn a_resubmitted_job_does_not_go_with_its_first_attempt() {
    let lab = Lab::new();
    let id = job(&lab);
    lab.cancel(id).unwrap();
    lab.clock.advance(DAY * 6);
    lab.submit(Submission { id: Some(id.to_string()), ..submission("q") }).unwrap();
    lab.clock.advance(DAY * 6);
    assert_eq!(sweep(&lab, 100), Swept::default());
    assert_eq!(lab.claim(&["q"], None), Some(id));
}

#[test]
fn the_result_of_an_unknown_job_goes_a_week_after_its_last_post() {
    let lab = Lab::new();
    let id = JobId::new();
    let post = || {
        let members = [("x".to_owned(), "1".to_owned())].into();
        lab.post(id, Posted { members, ..Posted::default() }, None);
    };
    let known = || !lab.store.read().unwrap().result(id).unwrap().is_empty();
    post();
    lab.clock.advance(DAY * 6);
    post();
    lab.clock.advance(DAY * 2);
    sweep(&lab, 100);
    assert!(known());
    lab.clock.advance(DAY * 6);
    sweep(&lab, 100);
    assert!(!known());
}

#[test]
fn silent_agents_and_queues_that_nobody_advertises_go() {
    let lab = Lab::new();
    lab.enrol(&["silent", "talks"], &["q"]);
    lab.store
        .write(|tx, now| {
            let advertised = queues(&["old", "kept"]).into_iter().map(|q| (q, "d".to_owned()));
            ops::advertise(tx, now, &advertised.collect())?;
            let images = queues(&["images"]).into_iter().map(|q| (q, "{}".to_owned()));
            ops::advertise_images(tx, &images.collect())
        })
        .unwrap();
    lab.clock.advance(DAY * 5);
    lab.enrol(&["talks"], &["q"]);
    lab.store
        .write(|tx, now| {
            let again = queues(&["kept"]).into_iter().map(|q| (q, "d".to_owned()));
            ops::advertise(tx, now, &again.collect())
        })
        .unwrap();
    lab.clock.advance(DAY * 3);
    assert_eq!(sweep(&lab, 100), Swept { removed: 2, ..Swept::default() });
    let tx = lab.store.read().unwrap();
    let left: Vec<String> =
        tx.agents_after(0, 10).unwrap().iter().map(|agent| agent.name.to_string()).collect();
    assert_eq!(left, ["talks"]);
    assert_eq!(tx.queue_agents_after(&queues(&["q"])[0], 0, 10).unwrap().len(), 1);
    assert!(tx.agent(&agents(&["silent"])[0]).unwrap().is_none());
    let left: Vec<String> =
        tx.advertised_after(None, 10).unwrap().iter().map(|queue| queue.name.to_string()).collect();
    // What only has images is not advertised, so it has no age.
    assert_eq!(left, ["images", "kept"]);
}

#[test]
fn a_job_with_many_lines_goes_in_pieces_and_is_gone_for_everybody_with_the_first() {
    let lab = Lab::new();
    let id = lab.submit(submission("q")).unwrap();
    let output = Log(id, LogKind::Output);
    let append = move |tx: &mut WriteTx<'_>, at| {
        for number in 0..1500 {
            let text = "line\n".to_owned();
            let fragment = Fragment { number: Some(number), phase: Phase::Test, at, text };
            tx.append_log(output, &fragment, at)?;
        }
        Ok::<_, ops::Error>(())
    };
    lab.store.write(append).unwrap();
    lab.cancel(id).unwrap();
    lab.clock.advance(WEEK + Duration::from_secs(1));
    let first = sweep(&lab, 100);
    assert!(first.more);
    assert!(lab.job(id).is_none());
    let left = |lab: &Lab| {
        let tx = lab.store.read().unwrap();
        tx.fragments(output, Phase::Test, 0, None).unwrap().len()
    };
    let mut before = left(&lab);
    assert!(before > 0, "one batch must not remove everything");
    let mut batches = 1;
    while sweep(&lab, 100).more {
        let now = left(&lab);
        assert!(before - now <= 512, "{before} {now}");
        before = now;
        batches += 1;
    }
    assert_eq!(left(&lab), 0);
    assert!(batches > 4, "{batches}");
}

#[test]
fn files_of_ended_jobs_go_before_their_time_while_too_little_is_free() {
    let lab = Lab::new();
    let ids: Vec<JobId> = (0..5).map(|_| job(&lab)).collect();
    for id in &ids[..4] {
        lab.cancel(*id).unwrap();
    }
    pin(&lab, ids[1], true);
    let has_files = |id| left(&lab, id)[3] || left(&lab, id)[4];
    let all: Vec<bool> = ids.iter().map(|id| has_files(*id)).collect();
    assert_eq!(all, [true; 5]);
    let free = |needed| {
        let freed = lab.store.write(move |tx, _| ops::free_files(tx, needed, None, 100)).unwrap();
        freed.files
    };
    assert_eq!(free(0), 0);
    // The oldest first, and no more than is needed.
    assert_eq!(free(1), 1);
    assert!(free(u64::MAX) > 1);
    let all: Vec<bool> = ids.iter().map(|id| has_files(*id)).collect();
    assert_eq!(all, [false, true, false, false, true]);
    // Results stay as long as keep_jobs says.
    assert!(left(&lab, ids[0])[2]);
}

#[test]
fn what_would_go_is_what_goes() {
    let lab = Lab::new();
    let (old, pinned, running) = (job(&lab), job(&lab), job(&lab));
    for id in [old, pinned] {
        lab.cancel(id).unwrap();
    }
    pin(&lab, pinned, true);
    lab.post_state(running, "test", None);
    lab.clock.advance(WEEK + DAY);
    let fresh = job(&lab);
    lab.cancel(fresh).unwrap();
    let tx = lab.store.read().unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let now = lab.clock.now();
        let page = ops::going(&tx, now, (&ages(), u64::MAX), after, 1).unwrap();
        found.extend(page.items.into_iter().map(|(due, why)| (due.kind, due.name, why)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let file = |kind: &str| (Class::Blob, format!("{fresh} {kind}"), Why::Room);
    let due = (Class::Job, old.to_string(), Why::Age);
    assert_eq!(found, [due, file("artifact"), file("attachments")]);
    sweep(&lab, 100);
    let there: Vec<bool> = [old, pinned, running, fresh].map(|id| lab.job(id).is_some()).into();
    assert_eq!(there, [false, true, true, true]);
}
