//! `/jobs/<id>`, its artifact, and how it is cancelled.

use std::time::Duration;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::Pages;
use super::access::see_other;
use super::log::Which;
use super::login;
use super::shell::{Failure, Shell, Shown, live};
use super::show::{Line, Told, When, growing, log_key, size, span};
use super::text::logs;
use super::visitor::Visitor;
use super::waits::Waits;
use super::yaml::{self, Token};
use crate::app::App;
use crate::domain::{
    Attachments, BlobKind, Change, Event, Job, JobId, JobState, LogKind, Phase, Timestamp, Tried,
};
use crate::http::{ApiError, TextPath, upload};
use crate::ops::{self, By, Cursor, JobGlance, JobStatus, MemberView, ResultView};
use crate::secrets::MaskedJson;
use crate::store::{Member, ReadTx};

/// Bytes of a log that stand in the page.
const TAIL: usize = 64 << 10;
/// A longer definition is not shown, bytes.
const LONGEST_BODY: usize = 256 << 10;
/// A longer value of a result is cut, characters.
const LONGEST: usize = 500;

#[derive(Template)]
#[template(path = "job.html")]
struct Page {
    shell: Shell,
    line: Line,
    since: When,
    may_cancel: bool,
    waits: Option<Waits>,
    silent: Option<When>,
    reserved: Option<String>,
    tries: Vec<TryLine>,
    phases: Vec<PhaseLine>,
    logs: Vec<LogPart>,
    /// The key of the log that is open.
    open: String,
    yaml: Vec<Token>,
    priority: i64,
    attempt: u32,
    artifact: Option<String>,
    attachments: Option<String>,
    events: Vec<Told>,
    result: Vec<(String, String)>,
}

/// A try that failed in provisioning.
struct TryLine {
    number: usize,
    agent: String,
    code: i64,
    took: String,
    log: String,
}

struct PhaseLine {
    name: String,
    class: &'static str,
    took: String,
    code: Option<i64>,
}

struct LogPart {
    key: String,
    phase: &'static str,
    serial: bool,
    url: String,
    size: String,
    cut: bool,
    text: String,
    /// It comes in fragments, of which the stream tells more.
    grows: bool,
}

/// What is read of a job in one snapshot.
struct Found {
    status: JobStatus,
    glance: JobGlance,
    result: ResultView,
    body: String,
    artifact: Option<u64>,
    attachments: Option<u64>,
}

fn id_in(path: &str) -> Result<JobId, Failure> {
    JobId::from_path(path).ok_or_else(|| Failure::unknown("This is not the id of a job."))
}

/// The page.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    TextPath(id): TextPath,
) -> Shown {
    let (id, now) = (id_in(&id)?, app.now());
    let found = find(&app, id, visitor.caller.by.clone()).await?;
    let Found { status, glance, mut result, body, artifact, attachments } = found;
    let job = &glance.job;
    let ended = job.state.is_finished();
    let codes = exit_codes(&result);
    let change = status.history.last().map_or(0, |(number, _)| *number);
    let mut place = Cursor { attempt: job.attempt, change, ..Cursor::default() };
    let logs = log_parts(&app, id, &mut result, &mut place).await?;
    let failed = glance.failed.map(|(phase, _)| phase);
    let may_cancel = !ended && visitor.may_change() && visitor.caller.by.may_touch(job);
    let title = if glance.name.is_empty() { format!("Job {id}") } else { glance.name.clone() };
    let mut shell = Shell::of(&visitor, title, "/jobs");
    shell.stream = (!ended).then(|| (format!("/jobs/{id}/stream"), place.to_string()));
    let page = Page {
        shell,
        line: Line::of(&glance, now),
        since: When::at(status.since, now),
        may_cancel,
        waits: status.waiting.as_ref().map(|waiting| Waits::of(waiting, now)),
        silent: job.suspect_since.filter(|_| !ended).map(|at| When::at(at, now)),
        reserved: status.reserved_until.map(|until| match until.since(now) {
            Duration::ZERO => "Its time is over.".to_owned(),
            left => format!("{} are left.", growing(left)),
        }),
        tries: tries(job),
        phases: phases(&status, &codes, now),
        open: open_log(&logs, failed.or_else(|| ended.then_some(Phase::Test))),
        logs,
        yaml: definition(&body),
        priority: job.priority,
        attempt: job.attempt,
        artifact: artifact.map(size),
        attachments: match job.attachments {
            Attachments::None => None,
            Attachments::Awaited => Some("have not arrived".to_owned()),
            Attachments::Complete => Some(attachments.map_or("are gone".to_owned(), size)),
        },
        events: status.history.iter().rev().map(|(_, event)| Told::of(event, now)).collect(),
        result: values(&app, id, result).await?,
    };
    Ok(live(&page, &headers))
}

async fn find(app: &App, id: JobId, by: By) -> Result<Found, Failure> {
    let (now, hearing, lines) = (app.now(), app.hearing(), app.lines().await?);
    let read = move |tx: &ReadTx| {
        let status = ops::job_status(tx, &lines, id, now, &hearing)?;
        let blob = |kind| ops::blob(tx, id, kind).map(|blob| blob.map(|blob| blob.size));
        Ok::<_, ops::Error>(Found {
            glance: ops::JobGlance::of(tx, status.job.clone())?,
            result: ops::result(tx, id, &By { agent: None, ..by })?,
            body: ops::submitted(tx, id)?.map(|(_, body)| body).unwrap_or_default(),
            artifact: blob(BlobKind::Artifact)?,
            attachments: blob(BlobKind::Attachments)?,
            status,
        })
    };
    Ok(app.read_large(read).await?)
}

fn definition(body: &str) -> Vec<Token> {
    if body.len() <= LONGEST_BODY {
        return yaml::tokens(body);
    }
    let text = format!(
        "({}: too long to be shown here; GET /v1/job/<id> has it)",
        size(body.len() as u64)
    );
    vec![Token { class: "y-mark", text }]
}

fn tries(job: &Job) -> Vec<TryLine> {
    let log = |number: usize| {
        let (kind, phase) = (LogKind::Output, Phase::Provision);
        Which { id: job.id, kind, phase, of_try: number.to_string() }.path("view", "1")
    };
    let line = |(number, tried): (usize, &Tried)| TryLine {
        number,
        agent: tried.agent.to_string(),
        code: tried.exit_code,
        took: span(tried.ended_at.since(tried.started_at)),
        log: log(number),
    };
    (1..).zip(&job.tried).map(line).collect()
}

/// The phases that the last try of a job has gone through, with how long each took.
fn phases(status: &JobStatus, codes: &[(String, i64)], now: Timestamp) -> Vec<PhaseLine> {
    let entered = |event: &Event| match &event.change {
        Change::State { to, .. } => Some((event.at, to.clone())),
        _ => None,
    };
    let begun = status.job.queued_at();
    let entered = |event: &Event| entered(event).filter(|(at, _)| *at >= begun);
    let stays: Vec<(Timestamp, JobState)> =
        status.history.iter().filter_map(|(_, event)| entered(event)).collect();
    let mut lines = Vec::new();
    for (at, (begun, state)) in stays.iter().enumerate() {
        if state.is_finished() {
            continue;
        }
        let next = stays.get(at + 1).map(|(moment, _)| *moment);
        let took = next.map_or_else(|| growing(now.since(*begun)), |next| span(next.since(*begun)));
        let word = state.as_str();
        let code = codes.iter().find(|(phase, _)| phase == word).map(|(_, code)| *code);
        let class = match (next, code) {
            (_, Some(0)) => "good",
            (_, Some(_)) => "bad",
            (None, None) if !state.is_waiting() => "busy",
            _ => "",
        };
        lines.push(PhaseLine { name: word.replace('_', " "), class, took, code });
    }
    lines
}

/// The exit codes of phases in a result.
fn exit_codes(result: &ResultView) -> Vec<(String, i64)> {
    let code = |(name, member): (&String, &MemberView)| match member {
        MemberView::Posted(Member::Inline(json)) => {
            Some((name.strip_suffix("_status")?.to_owned(), json.parse().ok()?))
        }
        _ => None,
    };
    result.members.iter().filter_map(code).collect()
}

fn is_exit_code(member: &str) -> bool {
    member.strip_suffix("_status").is_some_and(|phase| Phase::parse(phase).is_some())
}

/// The ends of a job's logs, and at which place of its stream they go on.
async fn log_parts(
    app: &App,
    id: JobId,
    result: &mut ResultView,
    place: &mut Cursor,
) -> Result<Vec<LogPart>, Failure> {
    let masks = app.masks(id).await?;
    let mut parts = Vec::new();
    for log in logs(id, &mut result.members) {
        let (bytes, phase, kind) = (log.size(), log.phase, log.log.1);
        let (text, next) = log.tail(app, masks.as_ref(), TAIL).await?;
        place.set(kind, next.unwrap_or_default().max(place.of(kind)));
        parts.push(LogPart {
            key: log_key(phase, kind),
            phase: phase.as_str(),
            serial: kind == LogKind::Serial,
            url: Which { id, kind, phase, of_try: String::new() }.path("", ""),
            size: size(bytes),
            cut: bytes > TAIL as u64,
            text,
            grows: next.is_some(),
        });
    }
    Ok(parts)
}

/// The log that people look for: that of a phase, or the last one.
fn open_log(logs: &[LogPart], phase: Option<Phase>) -> String {
    let found = logs.iter().find(|log| Some(log.phase) == phase.map(Phase::as_str));
    found.or(logs.last()).map(|log| log.key.clone()).unwrap_or_default()
}

/// What else was posted, masked; large values are only named.
async fn values(
    app: &App,
    id: JobId,
    result: ResultView,
) -> Result<Vec<(String, String)>, Failure> {
    let masks = app.masks(id).await?;
    let shown = |json: &str| {
        let text = match &masks {
            None => json.to_owned(),
            Some(masks) => {
                let mut masked = MaskedJson::new(std::sync::Arc::clone(&masks.json));
                let bytes = [masked.feed(json.as_bytes()), masked.end()].concat();
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        let text = serde_json::from_str::<String>(&text).unwrap_or(text);
        text.chars().take(LONGEST).collect::<String>()
    };
    let value = |(name, member): (String, MemberView)| match member {
        // Exit codes stand with their phases.
        MemberView::Posted(Member::Inline(_)) if is_exit_code(&name) => None,
        MemberView::Posted(Member::Inline(json)) => Some((name, shown(&json))),
        MemberView::Posted(Member::Chunked { .. }) => Some((name, "(large)".to_owned())),
        MemberView::State(_) | MemberView::Agent(_) | MemberView::Fragments(..) => None,
    };
    Ok(result.members.into_iter().filter_map(value).collect())
}

/// Cancels the job, as the API does.
pub(super) async fn cancel(
    State(pages): State<Pages>,
    visitor: Visitor,
    TextPath(id): TextPath,
    request: Request,
) -> Shown {
    let id = id_in(&id)?;
    let form = login::read(request.into_body()).await?;
    visitor.check_form(&pages, form.get("csrf"))?;
    if !visitor.may_change() {
        return Err(not_allowed().into());
    }
    let by = visitor.caller.by.clone();
    match pages.app.write(move |tx, now| ops::cancel(tx, now, id, &by)).await {
        // Somebody was faster; the page says so.
        Ok(()) | Err(crate::app::Error::Ops(ops::Error::JobFinished)) => {}
        Err(crate::app::Error::Ops(ops::Error::NotYours)) => return Err(not_allowed().into()),
        Err(error) => return Err(error.into()),
    }
    Ok(see_other(&format!("/jobs/{id}")))
}

fn not_allowed() -> ApiError {
    let sentence =
        "Only its submitter, managers and admins may cancel this job. Log in as one of them.";
    ApiError::new(StatusCode::FORBIDDEN, sentence)
}

/// The artifact, as the API sends it.
pub(super) async fn artifact(
    State(Pages { app, .. }): State<Pages>,
    TextPath(id): TextPath,
) -> Shown {
    let id = id_in(&id)?;
    let mut response = upload::send(&app, id, BlobKind::Artifact).await?.ok_or_else(|| {
        Failure::unknown("The job has no artifact, or its artifact has become too old.")
    })?;
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{id}.tar.gz\""));
    if let Ok(name) = name {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
