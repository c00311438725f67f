//! Which JSON web tokens are good.

use super::*;

const JWT: &str = "[server]\nauthentication_method = 'token'\ntoken_verification = 'JwtVerification'\n[jwt]\n";

#[test]
fn a_key_set_is_a_verification() {
    let toml = format!(
        "{JWT}issuer = 'https://issuer'\naudience = 'flexconnect'\njwks_url = 'https://issuer/keys'\nleeway_sec = 5"
    );
    let Authentication::Token {
        verification: TokenVerification::Jwt(jwt),
        ..
    } = config(&toml).server.authentication
    else {
        panic!("JSON web tokens are asked for");
    };
    let expected = JwtSettings {
        issuer: "https://issuer".to_owned(),
        audience: vec!["flexconnect".to_owned()],
        keys: KeySet::Url("https://issuer/keys".parse().unwrap()),
        algorithms: vec![jsonwebtoken::Algorithm::RS256, jsonwebtoken::Algorithm::ES256],
        leeway: Duration::from_secs(5),
        refresh: Duration::from_mins(5),
    };
    assert_eq!(*jwt, expected);
}

#[rstest]
#[case::nothing("", &["jwt.issuer", "jwt.audience", "jwt.jwks_url"])]
#[case::plain_text("issuer = 'i'\naudience = 'a'\njwks_url = 'http://issuer/keys'", &["jwt.jwks_url"])]
#[case::no_address("issuer = 'i'\naudience = 'a'\njwks_url = 'keys'", &["jwt.jwks_url"])]
#[case::credentials("issuer = 'i'\naudience = 'a'\njwks_url = 'https://user:hush@issuer/keys'", &["jwt.jwks_url"])]
#[case::both("issuer = 'i'\naudience = 'a'\njwks_url = 'https://i'\njwks_file = 'k'", &["jwt.jwks_file"])]
#[case::shared_secret("issuer = 'i'\naudience = 'a'\njwks_file = 'k'\nalgorithms = ['HS256']", &["jwt.algorithms"])]
#[case::unsigned("issuer = 'i'\naudience = 'a'\njwks_file = 'k'\nalgorithms = 'none'", &["jwt.algorithms"])]
#[case::no_algorithm("issuer = 'i'\naudience = 'a'\njwks_file = 'k'\nalgorithms = []", &["jwt.algorithms"])]
#[case::nobody("issuer = 'i'\naudience = []\njwks_file = 'k'", &["jwt.audience"])]
fn web_tokens_that_would_prove_nothing_are_refused(#[case] jwt: &str, #[case] keys: &[&str]) {
    let refused = resolved(&format!("{JWT}{jwt}"), &[]).unwrap_err().0;
    assert_eq!(
        refused.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(),
        keys
    );
}

#[test]
fn a_key_set_on_this_machine_may_be_plain_text() {
    let jwt = "issuer = 'i'\naudience = ['a', 'b']\njwks_url = 'http://127.0.0.1:8080/keys'";
    assert!(resolved(&format!("{JWT}{jwt}"), &[]).is_ok());
}

#[test]
fn web_tokens_without_their_section_are_refused() {
    let toml = "[server]\nauthentication_method = 'token'\ntoken_verification = 'JwtVerification'";
    assert!(mistakes(toml)[0].contains("is JwtVerification, and there is no [jwt]"));
}
