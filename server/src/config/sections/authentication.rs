//! Who may call, and how callers show it.

use http::HeaderName;
use secrecy::SecretString;

use super::jwt::JwtSettings;
use crate::config::kinds::{Choice, Flag, Text};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Kind, Otherwise, Refusal, settings};
use crate::config::tree::Value;

settings! {
    /// `none` lets everybody call; `token` asks every call for a token.
    METHOD: Choice<Method>, Is<Method> = "authentication_method",
        Choice(&[("none", Method::None), ("token", Method::Token)]), Is(Method::None);
    /// The header whose whole value is the token, instead of `Authorization: Bearer TOKEN`.
    HEADER: Header, Otherwise = "token_header_name", Header, Otherwise("`Authorization: Bearer TOKEN`");
    /// Who decides about tokens: the list in `[enumerated_tokens]`, the signature and claims of a JWT (`[jwt]`), the
    /// verifier that the program brings, or the `TokenVerificationStrategy` of a module in Python. Workers ask that one
    /// for every call, which takes a fraction of a millisecond and its own time; when it does not decide within 10 s, or
    /// no worker is up, the call is answered with `NOT_READY`.
    VERIFICATION: Verification, Is<Verifier> = "token_verification", Verification, Is(Verifier::Enumerated);
    /// Hand the header with the caller's credentials to functions, as the original does.
    PASS_CREDENTIALS: Flag, Is<bool> = "pass_credentials", Flag, Is(false);
}

/// `[enumerated_tokens]`
pub(in crate::config) mod tokens {
    use super::{Otherwise, TokenList, settings};

    settings! {
        /// The tokens that are accepted. The list follows its file while the server runs; variables do not change.
        TOKENS: TokenList, Otherwise = "tokens", TokenList, Otherwise("none");
    }

    /// The tokens, `None` when there is no list.
    pub(in crate::config) fn read(
        reader: &mut super::Reader<'_>,
    ) -> Result<Option<Vec<super::SecretString>>, super::Noted> {
        reader.read(&TOKENS)
    }
}

/// `authentication_method`
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Everybody may call.
    None,
    /// Calls carry a token.
    Token {
        /// The header that carries it.
        header: TokenHeader,
        /// Who decides about it.
        verification: TokenVerification,
    },
}

/// Which header carries the token, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenHeader {
    /// `Authorization: Bearer TOKEN`
    Bearer,
    /// `token_header_name`: the whole value is the token.
    Custom {
        /// The name as it was configured, for messages.
        spelling: String,
        /// The name.
        name: HeaderName,
    },
}

/// `token_verification`
#[derive(Clone, Debug)]
pub enum TokenVerification {
    /// `EnumeratedTokenVerification`: one of these tokens, never an empty list.
    Enumerated(Vec<SecretString>),
    /// `JwtVerification`
    Jwt(Box<JwtSettings>),
    /// `CustomVerification`: the verifier that the program brings.
    Custom,
    /// Any other name: the module in Python whose strategy is asked.
    Python(String),
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    None,
    Token,
}

#[derive(Clone, Debug, PartialEq)]
enum Verifier {
    Enumerated,
    Jwt,
    Custom,
    Python(String),
}

const ENUMERATED: &str = "EnumeratedTokenVerification";
const JWT: &str = "JwtVerification";
const CUSTOM: &str = "CustomVerification";

/// One of our own verifications, or a module.
struct Verification;

impl Kind for Verification {
    type Value = Verifier;

    fn read(&self, setting: &str, value: &Value) -> Result<Verifier, Refusal> {
        let what = "the name of a verification, or of a module in Python";
        let text = Text { what }.read(setting, value)?;
        let ours = [
            (ENUMERATED, Verifier::Enumerated),
            (JWT, Verifier::Jwt),
            (CUSTOM, Verifier::Custom),
        ];
        if let Some((_, verifier)) = ours.iter().find(|(name, _)| *name == text) {
            return Ok(verifier.clone());
        }
        // No module is named like that but for its case.
        if let Some((name, _)) = ours.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text)) {
            return Err(Refusal::new(
                format!("must be {what}"),
                format!("write {setting} = \"{name}\""),
            ));
        }
        let is_name = |part: &str| {
            let mut letters = part.chars();
            letters
                .next()
                .is_some_and(|first| first.is_alphabetic() || first == '_')
                && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
        };
        if text.split('.').all(is_name) {
            return Ok(Verifier::Python(text));
        }
        let fix = format!("write {ENUMERATED}, {JWT}, {CUSTOM}, or a module such as sales.tokens");
        Err(Refusal::new(format!("must be {what}"), fix))
    }

    fn write(&self, value: &Verifier) -> String {
        let name = match value {
            Verifier::Enumerated => ENUMERATED,
            Verifier::Jwt => JWT,
            Verifier::Custom => CUSTOM,
            Verifier::Python(module) => module,
        };
        format!("{name:?}")
    }

    fn summary(&self) -> String {
        format!("`{ENUMERATED}`, `{JWT}`, `{CUSTOM}`, or a module in Python")
    }
}

/// The name of a header that holds text.
struct Header;

impl Kind for Header {
    type Value = TokenHeader;

    fn read(&self, setting: &str, value: &Value) -> Result<TokenHeader, Refusal> {
        let spelling = Text {
            what: "a non-empty name of a header",
        }
        .read(setting, value)?;
        match HeaderName::from_bytes(spelling.as_bytes()) {
            Ok(name) if !name.as_str().ends_with("-bin") => Ok(TokenHeader::Custom { spelling, name }),
            _ => Err(Refusal::new(
                "is not the name of a text header",
                "use letters, digits and dashes, and no ending in -bin, which gRPC keeps for bytes",
            )),
        }
    }

    fn write(&self, value: &TokenHeader) -> String {
        match value {
            TokenHeader::Bearer => String::new(),
            TokenHeader::Custom { spelling, .. } => format!("{spelling:?}"),
        }
    }

    fn summary(&self) -> String {
        "name of a header".to_owned()
    }
}

/// A list of tokens.
struct TokenList;

impl Kind for TokenList {
    type Value = Vec<SecretString>;

    fn read(&self, _: &str, value: &Value) -> Result<Vec<SecretString>, Refusal> {
        let fix = r#"write a list of texts: tokens = ["…"], or GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='["…"]'"#;
        let Value::List(items) = value else {
            return Err(Refusal::new("must be a list, and every token a text in quotes", fix));
        };
        let token = |value: &Value| match value {
            // What a client sends is trimmed, so another text could never match.
            Value::Text(text) if !text.is_empty() && text.trim() == text => Some(SecretString::from(text.as_str())),
            _ => None,
        };
        let tokens = items.iter().map(|item| token(&item.value)).collect::<Option<_>>();
        tokens.ok_or_else(|| Refusal::new("every token must be a text in quotes, without blanks around it", fix))
    }

    fn write(&self, _: &Vec<SecretString>) -> String {
        crate::config::shown::HIDDEN.to_owned()
    }

    fn summary(&self) -> String {
        "list of texts".to_owned()
    }

    fn hides(&self, _: &Value) -> bool {
        true
    }
}

/// What the other sections say: the tokens that are listed, and `[jwt]` when it is written.
pub(super) struct Means {
    pub(super) tokens: Result<Option<Vec<SecretString>>, Noted>,
    pub(super) jwt: Result<Option<JwtSettings>, Noted>,
}

pub(super) fn read(reader: &mut Reader<'_>, means: Means) -> Result<Authentication, Noted> {
    let method = reader.read(&METHOD);
    let header = reader.read(&HEADER);
    let verification = reader.read(&VERIFICATION);
    let Means { tokens, jwt } = means;
    match method? {
        Method::None => {
            if tokens?.is_some() {
                let text = "is none: calls are accepted without the tokens that are listed";
                reader.warn(METHOD.name, text);
            }
            let (_, _) = (header?, verification?);
            if jwt?.is_some() {
                reader.warn(METHOD.name, "is none: calls are accepted without the tokens of [jwt]");
            }
            for setting in [HEADER.name, VERIFICATION.name] {
                if reader.node(setting).is_some() {
                    reader.warn(
                        setting,
                        "has no effect while authentication_method is none: everybody may call",
                    );
                }
            }
            Ok(Authentication::None)
        }
        Method::Token => {
            let verification = verification.and_then(|verifier| match verifier {
                Verifier::Enumerated => enumerated(reader, tokens),
                Verifier::Jwt => jwt?.map(|jwt| TokenVerification::Jwt(Box::new(jwt))).ok_or_else(|| {
                    let fix = "write [jwt] with issuer, audience, and jwks_url or jwks_file";
                    reader.refuse(VERIFICATION.name, "is JwtVerification, and there is no [jwt]", fix)
                }),
                Verifier::Custom => Ok(TokenVerification::Custom),
                Verifier::Python(module) => Ok(TokenVerification::Python(module)),
            });
            Ok(Authentication::Token {
                header: header?.unwrap_or(TokenHeader::Bearer),
                verification: verification?,
            })
        }
    }
}

/// Whether functions see the header with the caller's credentials.
pub(super) fn passes_credentials(reader: &mut Reader<'_>) -> Result<bool, Noted> {
    reader.read(&PASS_CREDENTIALS)
}

fn enumerated(
    reader: &mut Reader<'_>,
    tokens: Result<Option<Vec<SecretString>>, Noted>,
) -> Result<TokenVerification, Noted> {
    let tokens = tokens?.filter(|tokens| !tokens.is_empty()).ok_or_else(|| {
        let problem = "is token, and there is no token in enumerated_tokens.tokens";
        let fix = r#"list them: GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='["…"]'"#;
        reader.refuse(METHOD.name, problem, fix)
    });
    tokens.map(TokenVerification::Enumerated)
}
