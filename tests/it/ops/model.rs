//! Random sequences of what happens to jobs, against the plainest model: a list that is searched from end to end.

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use testflinger_server::domain::{JobId, QueueName, Tag};
use testflinger_server::ops::{self, Match, Search, Submission};
use testflinger_server::store::JobReads;

use crate::support::{Lab, agents, by, queues, submission};

const QUEUES: [&str; 3] = ["a", "b", "b2"];
const AGENTS: [&str; 3] = ["x", "y", "z"];
const TAGS: [&str; 3] = ["t", "u", "v"];
const STATES: [&str; 7] =
    ["waiting", "running", "test", "pondering", "complete", "completed", "cancelled"];

#[derive(Clone, Debug)]
struct Wish {
    queue: &'static str,
    priority: i64,
    tags: Vec<&'static str>,
    exclude: Vec<&'static str>,
    attachments: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Submit(Wish),
    Claim(Vec<&'static str>, Option<&'static str>),
    Cancel(Index),
    Resubmit(Index, Wish),
    Post(Index, &'static str, Option<&'static str>),
    Attach(Index),
}

fn wish() -> impl Strategy<Value = Wish> {
    let none_mostly = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(&AGENTS[..], 1..=2)];
    let tags = subsequence(&TAGS[..], 0..=3);
    (prop::sample::select(&QUEUES[..]), -1..3_i64, tags, none_mostly, prop::bool::weighted(0.2))
        .prop_map(|(queue, priority, tags, exclude, attachments)| Wish {
            queue,
            priority,
            tags,
            exclude,
            attachments,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let agent = || prop::option::weighted(0.7, prop::sample::select(&AGENTS[..]));
    prop_oneof![
        6 => wish().prop_map(Step::Submit),
        8 => (subsequence(&QUEUES[..], 1..=3).prop_shuffle(), agent())
            .prop_map(|(queues, agent)| Step::Claim(queues, agent)),
        1 => any::<Index>().prop_map(Step::Cancel),
        1 => (any::<Index>(), wish()).prop_map(|(job, wish)| Step::Resubmit(job, wish)),
        4 => (any::<Index>(), prop::sample::select(&STATES[..]), agent())
            .prop_map(|(job, state, agent)| Step::Post(job, state, agent)),
        1 => any::<Index>().prop_map(Step::Attach),
    ]
}

#[derive(Clone, Debug)]
struct Job {
    id: JobId,
    wish: Wish,
    state: &'static str,
    agent: Option<&'static str>,
    acknowledged: bool,
    /// The server ended it, so its agent may still complete it.
    by_server: bool,
}

impl Job {
    fn new(id: JobId, wish: Wish) -> Self {
        Self { id, wish, state: "waiting", agent: None, acknowledged: false, by_server: false }
    }

    fn is_finished(&self) -> bool {
        ["complete", "completed", "cancelled"].contains(&self.state)
    }

    fn may_go_to(&self, agent: Option<&'static str>) -> bool {
        let exclude = &self.wish.exclude;
        agent.map_or(exclude.is_empty(), |agent| !exclude.contains(&agent))
    }
}

/// All jobs in submit order.
#[derive(Default)]
struct Model(Vec<Job>);

impl Model {
    fn claim(&mut self, queues: &[&str], agent: Option<&'static str>) -> Option<JobId> {
        let asked = |job: &&mut Job| queues.contains(&job.wish.queue);
        let lost = |job: &&mut Job| {
            let open = job.state != "waiting" && !job.is_finished();
            agent.is_some() && job.agent == agent && !job.acknowledged && open
        };
        if let Some(job) = self.0.iter_mut().filter(asked).filter(lost).min_by_key(|job| job.id) {
            return Some(job.id);
        }
        let ready = |job: &&mut Job| job.state == "waiting" && !job.wish.attachments;
        let fits = |job: &&mut Job| job.may_go_to(agent);
        // Of equal ones `min_by_key` takes the first.
        let found = self.0.iter_mut().filter(asked).filter(ready).filter(fits);
        let job = found.min_by_key(|job| -job.wish.priority)?;
        (job.state, job.agent, job.acknowledged) = ("running", agent, false);
        Some(job.id)
    }

    fn position(&self, id: JobId) -> Option<u64> {
        let job = self.0.iter().find(|job| job.id == id && job.state == "waiting")?;
        let same = |other: &&Job| other.state == "waiting" && other.wish.queue == job.wish.queue;
        let mut waiting: Vec<&Job> = self.0.iter().filter(same).collect();
        waiting.sort_by_key(|job| -job.wish.priority);
        waiting.iter().position(|other| other.id == id).map(|n| n as u64)
    }

    fn ids(&self, wanted: impl Fn(&Job) -> bool) -> Vec<JobId> {
        self.0.iter().filter(|job| wanted(job)).map(|job| job.id).collect()
    }
}

fn submitted(wish: &Wish, id: Option<JobId>) -> Submission {
    Submission {
        id: id.map(|id| id.to_string()),
        priority: wish.priority,
        tags: tags(&wish.tags),
        exclude_agents: agents(&wish.exclude),
        attachments: wish.attachments,
        ..submission(wish.queue)
    }
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::try_from((*name).to_owned()).unwrap()).collect()
}

fn apply(lab: &Lab, model: &mut Model, step: Step) -> Result<(), TestCaseError> {
    let count = model.0.len();
    let at = |index: &Index| index.index(count);
    match step {
        Step::Submit(wish) => {
            let id = lab.submit(submitted(&wish, None)).unwrap();
            model.0.push(Job::new(id, wish));
        }
        Step::Claim(queues, agent) => {
            prop_assert_eq!(lab.claim(&queues, agent), model.claim(&queues, agent));
        }
        _ if count == 0 => {}
        Step::Cancel(job) => {
            let job = &mut model.0[at(&job)];
            let cancelled = lab.cancel(job.id);
            prop_assert_eq!(cancelled.is_err(), job.is_finished());
            if cancelled.is_ok() {
                job.state = "cancelled";
            }
        }
        Step::Resubmit(job, wish) => {
            let id = model.0.remove(at(&job)).id;
            prop_assert_eq!(lab.submit(submitted(&wish, Some(id))).unwrap(), id);
            model.0.push(Job::new(id, wish));
        }
        Step::Post(job, state, agent) => {
            let job = &mut model.0[at(&job)];
            lab.post_state(job.id, state, agent);
            job.acknowledged |= agent.is_some() && agent == job.agent;
            if job.state == "waiting" && agent.is_some() && state != "waiting" {
                // Whoever runs a job that waits has it.
                (job.agent, job.acknowledged) = (agent, true);
            }
            let late = job.by_server && ["complete", "completed"].contains(&state);
            if !job.is_finished() || late {
                (job.state, job.by_server) = (state, false);
            }
        }
        Step::Attach(job) => {
            let job = &mut model.0[at(&job)];
            let (id, blob, who) = (job.id, lab.blob(), by(None));
            let write =
                lab.store.write(move |tx, now| ops::put_attachments(tx, now, id, &blob, &who));
            if write.is_ok() {
                job.wish.attachments = false;
            }
        }
    }
    Ok(())
}

fn found(lab: &Lab, search: &Search) -> Vec<JobId> {
    let tx = lab.store.read().unwrap();
    let (mut ids, mut after) = (Vec::new(), None);
    // Pages of three, so that every search crosses some.
    loop {
        let page = search.page(&tx, after, 3).unwrap();
        ids.extend(page.items.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

fn compare(lab: &Lab, model: &Model) -> Result<(), TestCaseError> {
    let tx = lab.store.read().unwrap();
    for job in &model.0 {
        let kept = tx.job(job.id).unwrap().unwrap();
        prop_assert_eq!(kept.state.as_str(), job.state);
        prop_assert_eq!(kept.agent.map(|name| name.to_string()), job.agent.map(str::to_owned));
        let position = ops::position(&tx, &lab.store.lines().unwrap(), job.id).ok();
        prop_assert_eq!(position, model.position(job.id));
    }
    for queue in QUEUES {
        let name: &QueueName = &queues(&[queue])[0];
        let listed = tx.queue_jobs_after(name, 0, usize::MAX).unwrap();
        let listed: Vec<JobId> = listed.iter().map(|row| row.id).collect();
        prop_assert_eq!(listed, model.ids(|job| job.wish.queue == queue));
    }
    for (wanted, active) in [(&STATES[..0], false), (&STATES[..0], true), (&STATES[2..5], false)] {
        let states: Vec<String> = wanted.iter().map(|state| (*state).to_owned()).collect();
        let in_state = |job: &Job| match (active, wanted) {
            (true, _) => !job.is_finished(),
            (false, []) => true,
            (false, _) => wanted.contains(&job.state),
        };
        let search = Search { states, active, ..Search::default() };
        prop_assert_eq!(found(lab, &search), model.ids(in_state));
        let names = [TAGS[0], TAGS[2]];
        let any = Search { tags: tags(&names), ..search.clone() };
        let has = |job: &Job, tag: &&str| job.wish.tags.contains(tag);
        let expected = model.ids(|job| in_state(job) && names.iter().any(|tag| has(job, tag)));
        prop_assert_eq!(found(lab, &any), expected);
        let all = Search { matching: Match::All, ..any };
        let expected = model.ids(|job| in_state(job) && names.iter().all(|tag| has(job, tag)));
        prop_assert_eq!(found(lab, &all), expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn jobs_go_where_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let (lab, mut model) = (Lab::new(), Model::default());
        // So that no submission excludes every agent of its queue.
        lab.enrol(&AGENTS, &QUEUES);
        for step in steps {
            apply(&lab, &mut model, step)?;
        }
        compare(&lab, &model)?;
    }
}
