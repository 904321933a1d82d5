//! The bytes of every record. A test that fails here means that existing databases can no longer be read: add a new
//! version of the record instead of changing this file.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::agent::{AgentLogV1, AgentV1, AgentV2, AsideV1, ProvisionV1, ProvisionV2};
use super::blob::BlobV1;
use super::client::{ClientV1, ClientV2, RefreshV1};
use super::history::HistoryV1;
use super::job::{JobV1, JobV2, JobV3};
use super::log::LogTailV1;
use super::notice::NoticeV1;
use super::queue::QueueV1;
use super::secret::{JobSecretV1, SecretV1};
use crate::domain::{AgentName, ClientId, Tag};
use crate::domain::{Attachments, EndedBy, Job, JobId, JobState, QueueName, Timestamp, Tried};
use crate::store::engine::codec::{Record, decode, encode};

fn hex(record: &impl Record) -> String {
    use std::fmt::Write;
    encode(record).unwrap().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn reads_back<R: Record + Debug + PartialEq>(record: &R) -> Result<(), TestCaseError> {
    let read: R = decode(&encode(record).unwrap()).unwrap();
    prop_assert_eq!(&read, record);
    Ok(())
}

/// 2026-11-23T12:00:00Z
const MOMENT: i64 = 1_795_435_200_000_000;

fn job() -> Job {
    let moment = |seconds: i64| Timestamp::from_micros(MOMENT + seconds * 1_000_000);
    Job {
        id: JobId::from_bytes([7; 16]),
        seq: 300,
        queue: QueueName::trusted("q"),
        priority: -2,
        state: JobState::new("test"),
        attachments: Attachments::Complete,
        ended_by: Some(EndedBy::Server),
        attempt: 2,
        created_at: moment(0),
        started_at: Some(moment(1)),
        finished_at: None,
        agent: Some(AgentName::trusted("a")),
        acknowledged: true,
        suspect_since: Some(moment(2)),
        left_since: Some(moment(3)),
        queue_until: None,
        client: Some(ClientId::trusted("c")),
        pinned: true,
        secrets: false,
        tags: vec![Tag::trusted("t"), Tag::trusted("é")],
        exclude_agents: vec![AgentName::trusted("x")],
        retries: 3,
        tried: vec![Tried {
            agent: AgentName::trusted("y"),
            started_at: moment(4),
            ended_at: moment(5),
            exit_code: -1,
            kept: JobId::from_bytes([8; 16]),
            log_ends: [300, 0],
        }],
    }
}

#[test]
fn the_bytes_of_a_job_never_change() {
    let first = "fb2c010171030474657374020302fd0060a0aae0c10c0001fd80e4beaae0c10c000001016101\
         01fd0069ddaae0c10c0000010163010002017402c3a9010178";
    let tried = "03010179fd00721aabe0c10c00fd80f638abe0c10c0001\
                 08080808080808080808080808080808fb580200";
    assert_eq!(hex(&JobV1::from(&job())), format!("0101{first}"));
    assert_eq!(hex(&JobV2::from(&job())), format!("0102{first}01fd80edfbaae0c10c00"));
    assert_eq!(hex(&JobV3::from(&job())), format!("0103{first}01fd80edfbaae0c10c00{tried}"));
    let old = encode(&JobV1::from(&job())).unwrap();
    let read = decode::<JobV3>(&old).unwrap().into_job(job().id).unwrap();
    let before = Job { retries: 0, tried: Vec::new(), ..job() };
    assert_eq!(read, Job { left_since: None, ..before.clone() });
    let old = encode(&JobV2::from(&job())).unwrap();
    assert_eq!(decode::<JobV3>(&old).unwrap().into_job(job().id).unwrap(), before);
}

#[test]
fn the_bytes_of_an_agent_never_change() {
    let agent = AgentV1 {
        seq: 1,
        updated_at: MOMENT,
        fields: vec![("state".to_owned(), "\"test\"".to_owned())],
        queues: vec!["q".to_owned()],
        streak_type: 2,
        streak_count: 251,
    };
    assert_eq!(hex(&agent), "020101fd0060a0aae0c10c00010573746174650622746573742201017102fbfb00");
    let aside = AsideV1 { cause: 1, since: MOMENT, why: "w".to_owned() };
    let aside = AgentV2 { agent: agent.clone(), aside: Some(aside) };
    assert_eq!(
        hex(&aside),
        "020201fd0060a0aae0c10c00010573746174650622746573742201017102fbfb000101fd0060a0aae0c10c000177"
    );
    assert_eq!(decode::<AgentV2>(&encode(&agent).unwrap()).unwrap(), AgentV2::upgrade(agent));
    let log = AgentLogV1 { lines: vec!["a".to_owned(), String::new()] };
    assert_eq!(hex(&log), "030102016100");
    let provision =
        ProvisionV1 { at: MOMENT, job_id: "j".to_owned(), exit_code: -1, detail: "d".to_owned() };
    assert_eq!(hex(&provision), "0401fd0060a0aae0c10c00016a010164");
    let submitted = ProvisionV2 { provision, submitted_by: Some("c".to_owned()) };
    assert_eq!(hex(&submitted), "0402fd0060a0aae0c10c00016a010164010163");
}

#[test]
fn the_bytes_of_a_blob_never_change() {
    let blob = BlobV1 { name: [1; 16], size: 1 << 40, sha256: [2; 32], created_at: MOMENT };
    assert_eq!(
        hex(&blob),
        "050101010101010101010101010101010101fd000000000001000002020202020202020202020202\
         02020202020202020202020202020202020202fd0060a0aae0c10c00"
    );
}

#[test]
fn the_bytes_of_a_history_never_change() {
    let history = HistoryV1 {
        at: MOMENT,
        actor: 1,
        actor_name: "a".to_owned(),
        what: "state".to_owned(),
        from: String::new(),
        to: "waiting".to_owned(),
        why: "w".to_owned(),
    };
    assert_eq!(hex(&history), "0601fd0060a0aae0c10c00010161057374617465000777616974696e670177");
}

#[test]
fn the_bytes_of_a_notice_never_change() {
    let notice = NoticeV1 {
        form: 2,
        url: "u".to_owned(),
        body: "b".to_owned(),
        at: MOMENT,
        tries: 3,
        next_at: MOMENT,
        error: String::new(),
    };
    let moment = "fd0060a0aae0c10c00";
    assert_eq!(hex(&notice), format!("0f010201750162{moment}03{moment}00"));
}

#[test]
fn the_bytes_of_a_queue_never_change() {
    let queue = |updated_at| QueueV1 { description: "d".to_owned(), updated_at };
    assert_eq!(hex(&queue(Some(MOMENT))), "0701016401fd0060a0aae0c10c00");
    assert_eq!(hex(&queue(None)), "0701016400");
}

#[test]
fn the_bytes_of_a_client_and_its_tokens_never_change() {
    let client = ClientV1 {
        role: "admin".to_owned(),
        secret_hash: "h".to_owned(),
        max_priority: vec![("*".to_owned(), 5)],
        max_reservation_time: Vec::new(),
        allowed_queues: Some(vec!["q".to_owned()]),
        email: None,
        created_at: MOMENT,
    };
    assert_eq!(hex(&client), "0a010561646d696e016801012a0a000101017100fd0060a0aae0c10c00");
    let client = ClientV2 { agents: vec!["r*".to_owned()], ..ClientV2::upgrade(client) };
    assert_eq!(hex(&client), "0a020561646d696e016801012a0a000101017100fd0060a0aae0c10c000102722a");
    let token = RefreshV1 {
        client: "c".to_owned(),
        created_at: MOMENT,
        used_at: MOMENT + 1,
        revoked: true,
    };
    assert_eq!(hex(&token), "0b010163fd0060a0aae0c10c00fd0260a0aae0c10c0001");
}

#[test]
fn the_bytes_of_a_logs_end_never_change() {
    let tail = LogTailV1 { next_fragment: -1, next_piece: 300, at: MOMENT };
    assert_eq!(hex(&tail), "090101fb2c01fd0060a0aae0c10c00");
}

#[test]
fn the_bytes_of_secrets_never_change() {
    let secret = |expires_at, ephemeral| SecretV1 {
        sealed: vec![1, 2],
        written_at: MOMENT,
        expires_at,
        ephemeral,
    };
    assert_eq!(hex(&secret(None, true)), "0c01020102fd0060a0aae0c10c000001");
    assert_eq!(
        hex(&secret(Some(MOMENT), false)),
        "0c01020102fd0060a0aae0c10c0001fd0060a0aae0c10c0000"
    );
    let copy = JobSecretV1 {
        client: "c".to_owned(),
        path: "p".to_owned(),
        sealed: Some(vec![3]),
        taken: true,
    };
    assert_eq!(hex(&copy), "0d0101630170010103 01".replace(' ', ""));
}

#[test]
fn no_two_records_have_the_same_tag() {
    let tags = [
        JobV1::TAG,
        AgentV1::TAG,
        AgentLogV1::TAG,
        ProvisionV1::TAG,
        BlobV1::TAG,
        HistoryV1::TAG,
        QueueV1::TAG,
        LogTailV1::TAG,
        ClientV1::TAG,
        RefreshV1::TAG,
        SecretV1::TAG,
        JobSecretV1::TAG,
    ];
    let distinct: std::collections::BTreeSet<u8> = tags.into_iter().collect();
    assert_eq!(distinct.len(), tags.len());
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(".*", 0..4)
}

prop_compose! {
    fn place()(id: [u8; 16], seq: u64, queue in ".*", priority: i64, state in ".{0,64}", attempt: u32)
        -> Job {
        Job {
            id: JobId::from_bytes(id),
            seq,
            queue: QueueName::trusted(queue),
            priority,
            state: JobState::new(&state),
            attempt,
            ..job()
        }
    }
}

prop_compose! {
    fn any_tried()(agent in ".*", times in (moment(), moment()), exit_code: i64, kept: [u8; 16], log_ends: [i64; 2])
        -> Tried {
        Tried {
            agent: AgentName::trusted(agent),
            started_at: times.0,
            ended_at: times.1,
            exit_code,
            kept: JobId::from_bytes(kept),
            log_ends,
        }
    }
}

prop_compose! {
    fn any_job()(
        place in place(),
        kinds in (0..3_usize, 0..4_usize),
        times in (moment(), option::of(moment()), option::of(moment())),
        waits in (option::of(moment()), option::of(moment())),
        flags: [bool; 3],
        names in (option::of(".*"), option::of(".*"), texts(), texts()),
        tried in vec(any_tried(), 0..3),
    ) -> Job {
        let ended = [None, Some(EndedBy::Agent), Some(EndedBy::Person), Some(EndedBy::Server)];
        Job {
            attachments: [Attachments::None, Attachments::Awaited, Attachments::Complete][kinds.0],
            ended_by: ended[kinds.1],
            created_at: times.0,
            started_at: times.1,
            finished_at: times.2,
            suspect_since: waits.0,
            left_since: waits.1,
            queue_until: waits.1,
            acknowledged: flags[0],
            pinned: flags[1],
            secrets: flags[2],
            agent: names.0.map(AgentName::trusted),
            client: names.1.map(ClientId::trusted),
            tags: names.2.into_iter().map(Tag::trusted).collect(),
            exclude_agents: names.3.into_iter().map(AgentName::trusted).collect(),
            retries: place.attempt,
            tried,
            ..place
        }
    }
}

proptest! {
    #[test]
    fn every_job_reads_back(job in any_job()) {
        let record = JobV3::from(&job);
        reads_back(&record)?;
        prop_assert_eq!(record.into_job(job.id).unwrap(), job);
    }

    #[test]
    fn every_agent_reads_back(
        numbers in (any::<u64>(), any::<i64>(), any::<u8>(), any::<u64>()),
        fields in vec((".*", ".*"), 0..4),
        texts in (texts(), texts(), ".*", ".*"),
    ) {
        let (seq, updated_at, streak_type, streak_count) = numbers;
        let (queues, lines, job_id, detail) = texts;
        let why = detail.clone();
        let aside = Some(AsideV1 { cause: streak_type, since: updated_at, why });
        let agent = AgentV1 { seq, updated_at, fields, queues, streak_type, streak_count };
        reads_back(&AgentV2 { agent, aside })?;
        reads_back(&AgentLogV1 { lines })?;
        let provision = ProvisionV1 { at: updated_at, job_id, exit_code: updated_at, detail };
        reads_back(&ProvisionV2 { provision, submitted_by: None })?;
    }

    #[test]
    fn every_other_record_reads_back(
        name: [u8; 16],
        sha256: [u8; 32],
        numbers in (any::<u64>(), any::<i64>(), any::<u8>(), option::of(any::<i64>())),
        texts in (".*", ".*", ".*", ".*", ".*"),
    ) {
        let (size, at, actor, updated_at) = numbers;
        let (actor_name, what, from, to, why) = texts;
        reads_back(&BlobV1 { name, size, sha256, created_at: at })?;
        reads_back(&QueueV1 { description: what.clone(), updated_at })?;
        let (url, body, error) = (what.clone(), from.clone(), to.clone());
        let (form, tries, next_at) = (actor, u32::from(actor), at);
        reads_back(&NoticeV1 { form, url, body, at, tries, next_at, error })?;
        reads_back(&HistoryV1 { at, actor, actor_name, what, from, to, why })?;
    }

    #[test]
    fn any_bytes_are_answered(mut bytes in vec(any::<u8>(), 0..200), tag in 1..8_u8) {
        if let [first, second, ..] = &mut bytes[..] {
            (*first, *second) = (tag, 1);
        }
        let id = JobId::from_bytes([0; 16]);
        let _ = decode::<JobV3>(&bytes).map(|record| record.into_job(id));
        let _ = decode::<AgentV2>(&bytes);
        let _ = decode::<AgentLogV1>(&bytes);
        let _ = decode::<ProvisionV2>(&bytes);
        let _ = decode::<BlobV1>(&bytes);
        let _ = decode::<HistoryV1>(&bytes);
        let _ = decode::<QueueV1>(&bytes);
    }
}
