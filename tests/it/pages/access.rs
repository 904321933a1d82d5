use serde_json::json;
use testflinger_server::config::{Mode, Pages, Raw};

use super::{browser, form_token, page, send_form};
use crate::support::TestServer;
use crate::support::auth::SECRET;

fn server(access: Mode, pages: Pages) -> TestServer {
    TestServer::with(Raw { access: Some(access), pages: Some(pages), ..Raw::default() })
}

const PAGES: [&str; 4] = ["/", "/agents", "/jobs", "/queues"];

#[test]
fn pages_are_open_where_reading_is() {
    for access in [Mode::Open, Mode::Contributor] {
        let server = server(access, Pages::Auto);
        for path in PAGES {
            let answer = server.anonymous().get(path);
            assert_eq!(answer.status, 200, "{path}");
            let policy = answer.header("Content-Security-Policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }
}

#[test]
fn where_nobody_may_read_without_a_token_a_page_leads_to_the_login_and_back() {
    let server = server(Mode::Locked, Pages::Auto);
    for path in PAGES {
        let answer = server.anonymous().get(path);
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("Location").unwrap().starts_with("/login?next=%2F"), "{path}");
    }
    server.client("me", "contributor");
    let browser = browser(&server, "me", SECRET);
    assert!(page(&browser, "/jobs").contains("me Log out"));
    let csrf = form_token(&browser, "/jobs");
    let left = send_form(&browser, "/logout", &[("csrf", &csrf)]);
    assert_eq!(left.status, 303);
    assert!(
        left.header("Set-Cookie")
            .unwrap()
            .starts_with("testflinger_session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
    );
}

#[test]
fn a_setting_closes_reading_in_an_open_lab() {
    let server = server(Mode::Open, Pages::Login);
    assert_eq!(server.anonymous().get("/jobs").status, 303);
    server.client("me", "contributor");
    page(&browser(&server, "me", SECRET), "/jobs");
}

#[test]
fn a_screen_on_the_wall_shows_everything_and_changes_nothing() {
    let server = server(Mode::Locked, Pages::ReadOnly);
    let id = server.client("me", "contributor").submit(&json!({ "job_queue": "q" }));
    let anyone = server.anonymous();
    let shown = anyone.get(&format!("/jobs/{id}"));
    assert_eq!(shown.status, 200);
    assert!(!shown.text().contains("<form method=\"post\""), "{}", shown.text());
    assert_eq!(send_form(&anyone, &format!("/jobs/{id}/cancel"), &[]).status, 403);
    assert_eq!(anyone.get("/login").status, 404);
}

#[test]
fn pages_can_be_switched_off() {
    let server = server(Mode::Open, Pages::Off);
    for path in PAGES.iter().chain(&["/login"]) {
        assert_eq!(server.anonymous().get(path).status, 404, "{path}");
    }
}

#[test]
fn a_wrong_secret_an_unknown_client_and_guessing_are_refused() {
    let server = server(Mode::Locked, Pages::Auto);
    server.client("me", "contributor");
    let anyone = server.anonymous();
    let csrf = form_token(&anyone, "/login");
    let try_with = |client: &str, secret: &str| {
        let fields = [("csrf", csrf.as_str()), ("client_id", client), ("secret", secret)];
        send_form(&anyone, "/login", &fields)
    };
    for (client, secret) in [("me", "wrong"), ("nobody", SECRET), ("", ""), ("me", "")] {
        let answer = try_with(client, secret);
        assert_eq!(answer.status, 401, "{client} {secret}");
        assert!(answer.text().contains("The id or the secret is wrong."));
        assert!(answer.header("Set-Cookie").is_none());
    }
    let throttled = (0..100).map(|_| try_with("me", "wrong").status).any(|status| status == 429);
    assert!(throttled);
}

#[test]
fn a_form_without_the_token_of_its_page_changes_nothing() {
    let server = server(Mode::Open, Pages::Auto);
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let cancel = format!("/jobs/{id}/cancel");
    for fields in [&[][..], &[("csrf", "")], &[("csrf", "made-up")]] {
        assert_eq!(send_form(&anyone, &cancel, fields).status, 403);
    }
    server.client("me", "contributor");
    let browser = browser(&server, "me", SECRET);
    let foreign = form_token(&anyone, "/login");
    assert_eq!(send_form(&browser, &cancel, &[("csrf", &foreign)]).status, 403);
    assert_eq!(anyone.state(&id), "waiting");

    let csrf = form_token(&browser, &format!("/jobs/{id}"));
    let answer = send_form(&browser, &cancel, &[("csrf", &csrf)]);
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some(format!("/jobs/{id}").as_str()))
    );
    assert_eq!(anyone.state(&id), "cancelled");
    let history = page(&browser, &format!("/jobs/{id}"));
    assert!(history.contains("waiting → cancelled by me"), "{history}");
}

#[test]
fn a_session_ends_with_its_client_or_its_secret_and_is_no_access_token() {
    let server = server(Mode::Locked, Pages::Auto);
    for id in ["gone", "changed"] {
        server.client(id, "contributor");
    }
    let (gone, changed) = (browser(&server, "gone", SECRET), browser(&server, "changed", SECRET));
    page(&gone, "/jobs");
    page(&changed, "/jobs");
    server.local().send("DELETE", "/v1/client-permissions/gone", None);
    server.local().edit("changed", &json!({ "client_secret": "another secret entirely" }));
    assert_eq!(gone.get("/jobs").status, 303);
    assert_eq!(changed.get("/jobs").status, 303);

    server.client("me", "contributor");
    let token = server.token("me");
    let as_cookie = server.anonymous().header("Cookie", &format!("testflinger_session={token}"));
    assert_eq!(as_cookie.get("/jobs").status, 303);
}

#[test]
fn a_session_lasts_twelve_hours() {
    let server = server(Mode::Locked, Pages::Auto);
    server.client("me", "contributor");
    let browser = browser(&server, "me", SECRET);
    server.pass(std::time::Duration::from_hours(11));
    assert_eq!(browser.get("/jobs").status, 200);
    server.pass(std::time::Duration::from_hours(2));
    assert_eq!(browser.get("/jobs").status, 303);
}

#[test]
fn the_client_of_an_agent_sees_no_pages() {
    let server = server(Mode::Locked, Pages::Auto);
    server.client("rig", "agent");
    let browser = browser(&server, "rig", SECRET);
    let answer = browser.get("/jobs");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("You may not do this"));
}

#[test]
fn only_who_may_cancel_a_job_sees_the_button() {
    let server = server(Mode::Contributor, Pages::Auto);
    let id = server.client("owner", "contributor").submit(&json!({ "job_queue": "q" }));
    server.client("other", "contributor");
    server.client("boss", "manager");
    let path = format!("/jobs/{id}");
    for (client, may) in [("owner", true), ("other", false), ("boss", true)] {
        let shown = page(&browser(&server, client, SECRET), &path);
        assert_eq!(shown.contains("Cancel this job"), may, "{client}");
    }
}

#[test]
fn a_login_leads_nowhere_else() {
    let server = server(Mode::Locked, Pages::Auto);
    server.client("me", "contributor");
    let anyone = server.anonymous();
    let csrf = form_token(&anyone, "/login");
    for next in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let fields =
            [("csrf", csrf.as_str()), ("client_id", "me"), ("secret", SECRET), ("next", next)];
        assert_eq!(send_form(&anyone, "/login", &fields).header("Location"), Some("/"), "{next}");
    }
}
