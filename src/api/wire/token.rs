//! Tokens on the wire.

use serde::{Deserialize, Serialize};

use crate::app::TOKEN_LIFETIME;
use crate::auth::refresh::RefreshToken;
use crate::http::ApiResult;
use crate::http::shape::kind::{INTEGER, TEXT, one_of, text};
use crate::http::shape::{Input, Kind, Members, Others, Output, Shape, Size, may, must};

static FORM: Shape = Shape {
    name: "TokenForm",
    doc: "Which form the answer has.",
    others: Others::Kept,
    members: &[may(
        "format",
        TEXT,
        "`jwt` for the bare access token as text, `json` for both tokens as an object. Without it the server guesses \
         which of the two the client reads.",
    )
    .like("json")],
};

/// The form of an answer that a client asks for.
#[derive(Deserialize)]
pub(in crate::api) struct Form {
    pub(in crate::api) format: Option<String>,
}

impl Input for Form {
    const SHAPE: &'static Shape = &FORM;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        members.to()
    }
}

static REFRESH: Shape = Shape {
    name: "Refresh",
    doc: "A refresh token to be used or revoked.",
    others: Others::Refused,
    members: &[must("refresh_token", text(1, usize::MAX), "The refresh token.").like("9b1f..")],
};

/// The digest of a refresh token; nobody keeps the token itself.
pub(in crate::api) struct Digest(pub(in crate::api) [u8; 32]);

impl Input for Digest {
    const SHAPE: &'static Shape = &REFRESH;
    const SIZE: Size = Size::Small;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            refresh_token: String,
        }
        let Known { refresh_token } = members.to()?;
        Ok(Self(RefreshToken::digest_of(&refresh_token)))
    }
}

/// Tokens that were issued.
#[derive(Serialize)]
pub(in crate::api) struct Tokens<'a> {
    access_token: &'a str,
    expires_in: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    token_type: &'static str,
}

impl<'a> Tokens<'a> {
    pub(in crate::api) const fn new(access_token: &'a str, refresh_token: Option<&'a str>) -> Self {
        Self { access_token, expires_in: TOKEN_LIFETIME, refresh_token, token_type: "Bearer" }
    }
}

impl Output for Tokens<'_> {
    const MEDIA: &'static [&'static str] = &["application/json", "text/html"];
    const KIND: Kind = Kind::Object(&Shape {
        name: "Tokens",
        doc: "Tokens that were issued.",
        others: Others::Refused,
        members: &[
            must("access_token", TEXT, "A JWT, to be sent as `Authorization: Bearer`."),
            must("expires_in", INTEGER, "How long the access token lives, in seconds."),
            may("refresh_token", TEXT, "Gets new access tokens, as often as needed."),
            must("token_type", one_of(&["Bearer"]), "How the access token is sent."),
        ],
    });
}
