use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_999_999);
const NOW_SECS: i64 = 1_800_000_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(b"my-secret").unwrap()
}

fn permissions() -> Permissions {
    Permissions {
        client_id: "my_client".to_owned(),
        role: "manager".to_owned(),
        max_priority: BTreeMap::from([("*".to_owned(), 1), ("q".to_owned(), 100)]),
        allowed_queues: vec!["rqueue".to_owned()],
        max_reservation_time: BTreeMap::from([("q".to_owned(), 21_600)]),
        email: None,
        since: None,
    }
}

/// Signs anything, the way any other library with the key would.
fn signed(head: &str, payload: &[u8], key: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(payload));
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

/// The answer to a properly signed payload.
fn answer(payload: &[u8]) -> Result<Claims, TokenError> {
    verify(&key(), &signed(r#"{"alg":"HS256","typ":"JWT"}"#, payload, b"my-secret"), NOW, 5)
}

/// The answer to good claims with `name` set to `value` (null = left out).
fn answer_with(name: &str, value: &Value) -> Result<Claims, TokenError> {
    let mut claims = json!({"exp": NOW_SECS + 30, "iat": NOW_SECS, "sub": "access_token",
        "permissions": {"client_id": "my_client"}});
    claims[name] = value.clone();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    }
    answer(claims.to_string().as_bytes())
}

#[test]
fn token_has_upstreams_shape() {
    let token = issue(&key(), permissions(), NOW, 30).unwrap();
    let parts: Vec<_> =
        token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let text = |part: &Vec<u8>| String::from_utf8(part.clone()).unwrap();
    assert_eq!(text(&parts[0]), r#"{"typ":"JWT","alg":"HS256"}"#);
    assert_eq!(
        text(&parts[1]),
        r#"{"exp":1800000030,"iat":1800000000,"sub":"access_token","permissions":{"client_id":"my_client","role":"manager","max_priority":{"*":1,"q":100},"allowed_queues":["rqueue"],"max_reservation_time":{"q":21600}}}"#
    );
    assert_eq!(parts.len(), 3);
}

#[test]
fn init_may_be_called_again_and_from_many_threads() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                init();
                assert!(issue(&key(), permissions(), NOW, 1).is_ok());
            });
        }
    });
}

#[test]
fn signature_of_another_library_is_accepted() {
    // The example of RFC 7519's companion site, signed with "your-256-bit-secret"; it has no `exp`.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let key = SigningKey::from_bytes(b"your-256-bit-secret").unwrap();
    assert_eq!(verify(&key, token, NOW, 5), Err(TokenError::MissingClaim("exp")));
}

#[test]
fn expiry_and_issue_time_have_the_leeway_and_no_more() {
    let token = issue(&key(), permissions(), NOW, 30).unwrap();
    let at = |secs: i64, leeway| {
        let now = Timestamp::from_micros((NOW_SECS + secs) * 1_000_000);
        verify(&key(), &token, now, leeway).map(|_| ())
    };
    assert_eq!(at(29, 0), Ok(()));
    assert_eq!(at(30, 0), Err(TokenError::Expired));
    assert_eq!(at(34, 5), Ok(()));
    assert_eq!(at(35, 5), Err(TokenError::Expired));
    assert_eq!(at(-5, 5), Ok(()));
    assert_eq!(at(-6, 5), Err(TokenError::NotYetValid));
    assert_eq!(at(-1, 0), Err(TokenError::NotYetValid));
    assert_eq!(
        verify(&key(), &token, Timestamp::from_micros(i64::MAX), 5),
        Err(TokenError::Expired)
    );
    assert_eq!(
        verify(&key(), &token, Timestamp::from_micros(i64::MIN), 5),
        Err(TokenError::NotYetValid)
    );
}

#[test]
fn texts_and_classes_are_upstreams() {
    for (error, text, unauthenticated) in [
        (TokenError::Expired, "Token has expired", true),
        (TokenError::Undecodable, "Unable to decode token", false),
        (TokenError::BadSignature, "Invalid Token signature", false),
        (TokenError::Invalid, "Invalid Token", false),
        (TokenError::MissingClaim("exp"), "Token missing required claim: exp", false),
        (TokenError::NotYetValid, "Token not yet valid", true),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.is_unauthenticated(), unauthenticated);
    }
}

#[test]
fn other_algorithms_are_refused_even_when_the_mac_fits() {
    let good = issue(&key(), permissions(), NOW, 30).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(good.split('.').nth(1).unwrap()).unwrap();
    for alg in
        ["none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "HS256 ", ""]
    {
        let head = json!({"alg": alg, "typ": "JWT"}).to_string();
        let token = signed(&head, &payload, b"my-secret");
        assert_eq!(verify(&key(), &token, NOW, 5), Err(TokenError::Invalid), "{alg}");
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_eq!(
            verify(&key(), &format!("{unsigned}."), NOW, 5),
            Err(TokenError::Invalid),
            "{alg}"
        );
    }
    for head in ["{}", r#"{"alg":null}"#, r#"{"alg":5}"#, r#"{"alg":["HS256"]}"#] {
        let token = signed(head, &payload, b"my-secret");
        assert_eq!(verify(&key(), &token, NOW, 5), Err(TokenError::Invalid), "{head}");
    }
    // Signed with the text of an RSA public key, the classic swap.
    let swapped = signed(r#"{"alg":"RS256"}"#, &payload, b"-----BEGIN PUBLIC KEY-----");
    assert_eq!(verify(&key(), &swapped, NOW, 5), Err(TokenError::Invalid));
}

#[test]
fn foreign_keys_and_changed_tokens_are_bad_signatures() {
    let token = issue(&key(), permissions(), NOW, 30).unwrap();
    for other in [&b"other"[..], b"my-secre", b"my-secret2", b"x"] {
        let other = SigningKey::from_bytes(other).unwrap();
        assert_eq!(verify(&other, &token, NOW, 5), Err(TokenError::BadSignature));
    }
    let (message, signature) = token.rsplit_once('.').unwrap();
    // The empty one, and the first half: a prefix of the right MAC is not enough.
    let (head, payload) = message.split_once('.').unwrap();
    assert_eq!(
        verify(&key(), &format!("{head}.\0{payload}.{signature}"), NOW, 5),
        Err(TokenError::BadSignature)
    );
    for signature in ["", &signature[..20], &format!("{signature}AAAA")] {
        let token = format!("{message}.{signature}");
        assert_eq!(verify(&key(), &token, NOW, 5), Err(TokenError::BadSignature), "{token}");
    }
    let raised = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let raised = URL_SAFE_NO_PAD.encode(raised.replace("manager", "admin"));
    let token = format!("{head}.{raised}.{signature}");
    assert_eq!(verify(&key(), &token, NOW, 5), Err(TokenError::BadSignature));
}

#[test]
fn what_is_no_token_is_undecodable() {
    let good = issue(&key(), permissions(), NOW, 30).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let cases = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "x".to_owned(),
        "\0".to_owned(),
        "a.b.c".to_owned(),
        "\u{1f511}.\u{1f511}.\u{1f511}".to_owned(),
        format!("{head}."),
        head.to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good} "),
        format!("{good}="),
        format!("{good}.x"),
        format!("{head}.{}", rest.replace('.', "")),
        format!("Bearer {good}"),
        "x".repeat(10_000),
        ".".repeat(10_000),
        URL_SAFE_NO_PAD.encode("[".repeat(7_500)),
        "x".repeat(MAX_TOKEN_LEN + 1),
        format!("{good}{}", "A".repeat(MAX_TOKEN_LEN)),
    ];
    for token in cases {
        assert_eq!(verify(&key(), &token, NOW, 5), Err(TokenError::Undecodable), "{token:.80}");
    }
    for length in (0..good.len()).step_by(7) {
        assert!(verify(&key(), &good[..length], NOW, 5).is_err());
    }
}

#[test]
fn signed_payloads_that_are_no_claims_are_undecodable() {
    let twice = r#"{"exp":1900000000,"exp":1,"iat":1,"sub":"access_token","permissions":{"client_id":"x"}}"#;
    let array = r#"[1900000000,1,"access_token",{"client_id":"x"}]"#;
    let long =
        r#"{"exp":1900000000,"iat":1,"sub":"access_token","permissions":{"client_id":"x"}} {}"#;
    for payload in [
        &b""[..],
        b"\xff\xfe",
        b"{\"exp\":\"\xff\"}",
        b"null",
        b"5",
        b"[]",
        b"\"x\"",
        b"{",
        b"\0",
        twice.as_bytes(),
        array.as_bytes(),
        long.as_bytes(),
        "[".repeat(10_000).as_bytes(),
    ] {
        let text = String::from_utf8_lossy(payload).into_owned();
        assert_eq!(answer(payload), Err(TokenError::Undecodable), "{text:.80}");
    }
    for head in
        ["", "[]", "null", "5", "{", "\0", r#"{"alg":"HS256","alg":"none"}"#, r#"["HS256"]"#]
    {
        let token = signed(head, b"{}", b"my-secret");
        assert_eq!(verify(&key(), &token, NOW, 5), Err(TokenError::Undecodable), "{head}");
    }
}

#[test]
fn claims_must_be_there_and_be_integers() {
    for name in ["exp", "iat", "sub"] {
        assert_eq!(answer_with(name, &Value::Null), Err(TokenError::MissingClaim(name)));
    }
    assert_eq!(answer(b"{}"), Err(TokenError::MissingClaim("exp")));
    assert_eq!(answer(br#"{"exp":null,"iat":1}"#), Err(TokenError::MissingClaim("exp")));
    for bad in [
        json!("1900000000"),
        json!(1.9e9),
        json!(u64::MAX),
        json!(1e300),
        json!(true),
        json!([]),
        json!({}),
    ] {
        assert_eq!(answer_with("exp", &bad), Err(TokenError::Invalid), "{bad}");
        assert_eq!(answer_with("iat", &bad), Err(TokenError::Invalid), "{bad}");
    }
    for past in [0, -1, i64::MIN, NOW_SECS - 5] {
        assert_eq!(answer_with("exp", &json!(past)), Err(TokenError::Expired), "{past}");
    }
    assert_eq!(answer_with("exp", &json!(i64::MAX)).unwrap().exp, i64::MAX);
    assert_eq!(answer_with("iat", &json!(i64::MIN)).unwrap().iat, i64::MIN);
    assert_eq!(answer_with("iat", &json!(i64::MAX)), Err(TokenError::NotYetValid));
}

#[test]
fn subject_and_client_id_must_be_right() {
    for sub in [
        json!("refresh_token"),
        json!(""),
        json!(1),
        json!("access_token\0"),
        json!(["access_token"]),
    ] {
        assert!(answer_with("sub", &sub).is_err_and(|error| !error.is_unauthenticated()), "{sub}");
    }
    for permissions in [
        Value::Null,
        json!({}),
        json!([]),
        json!("x"),
        json!({"client_id": ""}),
        json!({"client_id": null}),
        json!({"client_id": 5}),
        json!({"client_id": "x", "max_priority": 5}),
        json!({"client_id": "x", "role": 5}),
        json!({"client_id": "x", "max_priority": {"q": "high"}}),
    ] {
        assert_eq!(
            answer_with("permissions", &permissions),
            Err(TokenError::Invalid),
            "{permissions}"
        );
    }
}

#[test]
fn sparse_and_newer_permissions_are_understood() {
    let expected = Permissions {
        client_id: "x".to_owned(),
        role: "contributor".to_owned(),
        max_priority: BTreeMap::new(),
        allowed_queues: Vec::new(),
        max_reservation_time: BTreeMap::new(),
        email: None,
        since: None,
    };
    for sparse in [
        json!({"client_id": "x"}),
        json!({"client_id": "x", "role": null, "max_priority": null,
        "allowed_queues": null, "max_reservation_time": null, "email": null, "colour": {"deep": [1]}}),
    ] {
        assert_eq!(answer_with("permissions", &sparse).unwrap().permissions, expected);
    }
    let email =
        answer_with("permissions", &json!({"client_id": "x", "role": "owner", "email": "a@b"}));
    let email = email.unwrap().permissions;
    assert_eq!((email.role.as_str(), email.email.as_deref()), ("owner", Some("a@b")));
    for (name, value) in [("aud", json!("someone")), ("iss", json!(5)), ("nbf", json!("x"))] {
        assert!(answer_with(name, &value).is_ok(), "{name}");
    }
}

#[test]
fn tokens_that_would_be_refused_are_not_issued() {
    let nobody = Permissions { client_id: String::new(), ..permissions() };
    assert!(matches!(issue(&key(), nobody, NOW, 30), Err(IssueError::NoClientId)));
    let queues = vec!["q".repeat(100); 200];
    let long = Permissions { allowed_queues: queues, ..permissions() };
    assert!(matches!(issue(&key(), long, NOW, 30), Err(IssueError::TooLong)));
}

#[test]
fn keys_may_be_short_but_not_empty_and_are_never_printed() {
    assert_eq!(SigningKey::from_bytes(b"").unwrap_err(), EmptyKey);
    for key in [&b"\0"[..], b"k", &[0xff; 1000]] {
        let key = SigningKey::from_bytes(key).unwrap();
        let token = issue(&key, permissions(), NOW, 30).unwrap();
        assert_eq!(verify(&key, &token, NOW, 0).unwrap().permissions, permissions());
    }
    assert_eq!(format!("{:?}", key()), "SigningKey([redacted])");
}

#[test]
fn bearer_is_optional_and_other_schemes_are_no_token() {
    for (header, token) in [
        ("Bearer a.b.c", Some("a.b.c")),
        ("bearer a.b.c", Some("a.b.c")),
        ("BEARER  a.b.c ", Some("a.b.c")),
        ("Bearer\ta.b.c", Some("a.b.c")),
        ("a.b.c", Some("a.b.c")),
        (" a.b.c", Some("a.b.c")),
        ("Bearer", Some("")),
        ("Bearer ", Some("")),
        ("Bearera.b.c", Some("Bearera.b.c")),
        ("Basic dXNlcjpwYXNz", None),
        ("basic x", None),
        ("Digest a=\"b\", c=\"d\"", None),
        ("", None),
        (" ", None),
    ] {
        assert_eq!(strip_bearer(header), token, "{header:?}");
    }
}

fn any_permissions() -> impl Strategy<Value = Permissions> {
    let map = || prop::collection::btree_map(".{0,20}", any::<i64>(), 0..6);
    let queues = prop::collection::vec(".{0,20}", 0..10);
    let since = (".{0,36}", any::<i64>(), any::<Option<u32>>())
        .prop_map(|(instance, at, secret)| Incarnation { instance, at, secret });
    let optional = (prop::option::of(".{0,30}"), prop::option::of(since));
    (".{1,40}", ".{0,12}", map(), queues, map(), optional).prop_map(
        |(client_id, role, max_priority, allowed_queues, max_reservation_time, (email, since))| {
            Permissions {
                client_id,
                role,
                max_priority,
                allowed_queues,
                max_reservation_time,
                email,
                since,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_issued_verifies_to_the_same(permissions in any_permissions(), now: i64,
        lifetime in 1_u32.., secret in prop::collection::vec(any::<u8>(), 1..100))
    {
        let key = SigningKey::from_bytes(&secret).unwrap();
        let now = Timestamp::from_micros(now);
        let token = issue(&key, permissions.clone(), now, lifetime).unwrap();
        let iat = now.as_secs();
        let sub = SUBJECT.to_owned();
        let expected = Claims { exp: iat + i64::from(lifetime), iat, sub, permissions };
        prop_assert_eq!(verify(&key, &token, now, 0), Ok(expected));
    }

    #[test]
    fn one_changed_character_is_noticed(at: prop::sample::Index, with in "[A-Za-z0-9_.-]") {
        let good = issue(&key(), permissions(), NOW, 30).unwrap();
        let mut token = good.clone();
        let at = at.index(token.len());
        token.replace_range(at..=at, &with);
        prop_assert_eq!(verify(&key(), &token, NOW, 5).is_ok(), token == good);
    }

    #[test]
    fn no_text_panics(token in ".{0,200}", payload in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&key(), &token, NOW, 5).is_err());
        prop_assert!(answer(&payload).is_err());
        let _ = strip_bearer(&token);
    }
}
