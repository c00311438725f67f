//! The decision about one data source, from what it shall be, what it is and what we remember. Pure.

use std::collections::BTreeSet;

use super::data_source::{Attributes, DataSource, FLEXCONNECT, cache_strategy};
use super::error::Refusal;
use super::{Adoption, Desired, Record};

/// What to do.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// All is as it shall be.
    Nothing,
    /// It does not exist.
    Create,
    /// These attributes differ.
    Patch {
        /// Only what differs.
        attributes: Attributes,
    },
    /// It is not ours to touch.
    Refuse {
        /// Why.
        reason: Refusal,
    },
}

/// Decides. `fingerprint` is the hash of what `desired` would send.
pub(super) fn plan(desired: &Desired, fingerprint: &str, record: Option<&Record>, live: Option<&DataSource>) -> Plan {
    let Some(live) = live else { return Plan::Create };
    if let Some(reason) = refuse(desired, record, live) {
        return Plan::Refuse { reason };
    }
    let attributes = differences(desired, fingerprint, record, live);
    if attributes.is_empty() {
        Plan::Nothing
    } else {
        Plan::Patch { attributes }
    }
}

/// Why a live data source may not be changed.
fn refuse(desired: &Desired, record: Option<&Record>, live: &DataSource) -> Option<Refusal> {
    untouchable(live).or_else(|| {
        let allowed = record.is_some()
            || match desired.adoption {
                Adoption::Never => false,
                Adoption::IfOwned => is_ours(live, &desired.every_host()),
                Adoption::Always => true,
            };
        (!allowed).then_some(Refusal::Foreign)
    })
}

/// Why a live data source may not be deleted.
pub(super) fn refuse_removal(
    own_hosts: &BTreeSet<String>,
    record: Option<&Record>,
    live: &DataSource,
) -> Option<Refusal> {
    untouchable(live).or_else(|| (record.is_none() && !is_ours(live, own_hosts)).then_some(Refusal::Foreign))
}

/// What no policy overrides.
fn untouchable(live: &DataSource) -> Option<Refusal> {
    if live.managed == Some(true) {
        return Some(Refusal::Managed);
    }
    match live.kind.as_deref() {
        Some(FLEXCONNECT) => None,
        kind => Some(Refusal::OtherType {
            kind: kind.unwrap_or_default().to_owned(),
        }),
    }
}

/// Whether GoodData shows what we would have created: all that can be read back, and our hosts in the URL, which it may
/// spell in its own way.
pub(super) fn looks_like(desired: &Desired, live: &DataSource) -> bool {
    untouchable(live).is_none()
        && is_ours(live, &desired.every_host())
        && Attributes {
            token: None,
            url: None,
            ..differences(desired, "", None, live)
        }
        .is_empty()
}

/// The attributes to send. Only what we send is compared; what somebody else added stays.
fn differences(desired: &Desired, fingerprint: &str, record: Option<&Record>, live: &DataSource) -> Attributes {
    let sent_before = record.is_some_and(|record| record.hash == fingerprint);
    let unchanged_since = record.is_some_and(|record| Some(record.url.as_str()) == live.url.as_deref());
    let url = desired.url();
    // GoodData may store another spelling of a URL. That is no drift as long as we sent this URL and it still shows the
    // answer it gave then.
    let url_fits = live.url.as_deref() == Some(url.as_str()) || (sent_before && unchanged_since);
    let cached = cache_strategy(desired.cache_strategy);
    let ours = desired.parameters();
    Attributes {
        name: (live.name.as_deref() != Some(desired.name.as_str())).then(|| desired.name.clone()),
        schema: live
            .schema
            .as_deref()
            .is_some_and(|schema| !schema.is_empty())
            .then(String::new),
        url: (!url_fits).then_some(url),
        token: (!sent_before).then(|| desired.sent_token()),
        cache_strategy: (live.effective_cache_strategy() != cached).then_some(cached),
        parameters: (live.our_parameters() != ours)
            .then(|| ours.into_iter().chain(live.other_parameters().cloned()).collect()),
    }
}

impl Desired {
    /// The hosts of its URLs, and those it may have had.
    fn every_host(&self) -> BTreeSet<String> {
        let mut hosts = self.own_hosts.clone();
        hosts.extend(self.urls.iter().filter_map(|url| host(url)));
        hosts
    }
}

/// Whether the URL has hosts, and all of them are of `own`.
fn is_ours(live: &DataSource, own: &BTreeSet<String>) -> bool {
    let urls = live.url.as_deref().unwrap_or_default();
    urls.split(';')
        .all(|url| host(url).is_some_and(|host| own.contains(&host)))
}

/// The host of one URL, in lower case; IPv6 addresses in their brackets.
fn host(url: &str) -> Option<String> {
    let (_, authority) = url.trim().split_once("://")?;
    let authority = authority.split(['/', '?', '#']).next()?;
    let host = match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next()?,
    };
    (!host.is_empty() && !host.contains('@')).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::super::data_source::Parameter;
    use super::super::fingerprint::fingerprint;
    use super::super::{CacheStrategy, LoadBalancing};
    use super::*;

    const KEY: &str = "api-token";

    pub(in super::super) fn desired() -> Desired {
        Desired {
            id: "sales".into(),
            name: "Sales".into(),
            urls: vec![
                "grpc+tls://sales-0.ns.svc:17001".into(),
                "grpc+tls://sales-1.ns.svc:17001".into(),
            ],
            own_hosts: BTreeSet::from(["sales-2.ns.svc".to_owned()]),
            token: Some("flight-token".into()),
            tls_root_certificate_pem: Some("-----BEGIN CERTIFICATE-----".into()),
            load_balancing: LoadBalancing::RoundRobin,
            cache_strategy: CacheStrategy::Never,
            adoption: Adoption::IfOwned,
        }
    }

    fn decide(desired: &Desired, record: Option<&Record>, live: Option<&DataSource>) -> Plan {
        plan(desired, &fingerprint(desired, KEY), record, live)
    }

    /// What GoodData does with a write: null attributes are left out, and the URL may be spelled anew.
    fn store(before: Option<&DataSource>, attributes: &Attributes, canonical: bool) -> DataSource {
        let mut after = before.cloned().unwrap_or_default();
        let Attributes {
            name,
            schema,
            url,
            token: _,
            cache_strategy,
            parameters,
        } = attributes.clone();
        after.name = name.or(after.name);
        after.schema = schema.or(after.schema);
        if let Some(url) = url {
            after.kind = Some(FLEXCONNECT.into());
            after.url = Some(if canonical {
                url.replace(".svc:", ".SVC:").replace(';', "; ")
            } else {
                url
            });
        }
        after.cache_strategy = cache_strategy.map(str::to_owned).or(after.cache_strategy);
        after.parameters = parameters
            .map(|list| list.into_iter().rev().collect())
            .or(after.parameters);
        after
    }

    fn remember(desired: &Desired, live: &DataSource) -> Record {
        Record {
            organization: "acme".into(),
            hash: fingerprint(desired, KEY),
            url: live.url.clone().unwrap_or_default(),
        }
    }

    fn registered() -> (DataSource, Record) {
        let live = store(None, &Attributes::all(&desired()), true);
        let record = remember(&desired(), &live);
        (live, record)
    }

    /// The names of the attributes that a plan sends.
    fn sent(plan: &Plan) -> Vec<String> {
        let Plan::Patch { attributes } = plan else {
            panic!("{plan:?}")
        };
        let document = attributes.document("sales");
        document["data"]["attributes"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    #[test]
    fn what_is_not_there_is_created_even_when_we_remember_it() {
        assert!(matches!(decide(&desired(), None, None), Plan::Create));
        assert!(matches!(decide(&desired(), Some(&registered().1), None), Plan::Create));
    }

    #[test]
    fn another_spelling_of_the_url_is_no_drift() {
        let (live, record) = registered();
        assert_ne!(live.url, Some(desired().url()));
        assert!(matches!(decide(&desired(), Some(&record), Some(&live)), Plan::Nothing));
    }

    #[rstest]
    #[case::name(|live: &mut DataSource| live.name = Some("Mine".into()), &["name"])]
    #[case::url(|live: &mut DataSource| live.url = Some("grpc://elsewhere:1".into()), &["type", "url"])]
    #[case::no_url(|live: &mut DataSource| live.url = None, &["type", "url"])]
    #[case::schema(|live: &mut DataSource| live.schema = Some("public".into()), &["schema"])]
    #[case::caching(|live: &mut DataSource| live.cache_strategy = None, &["cacheStrategy"])]
    #[case::parameters(|live: &mut DataSource| live.parameters = None, &["parameters"])]
    #[case::two(
        |live: &mut DataSource| { live.parameters = Some(vec![]); live.name = None; }, &["name", "parameters"])]
    fn only_what_somebody_changed_is_sent_back(#[case] change: fn(&mut DataSource), #[case] attributes: &[&str]) {
        let (mut live, record) = registered();
        change(&mut live);
        assert_eq!(sent(&decide(&desired(), Some(&record), Some(&live))), attributes);
    }

    #[test]
    fn a_new_token_is_sent_and_so_is_a_url_whose_spelling_says_nothing() {
        let (mut live, mut record) = registered();
        live.url = Some(desired().url());
        record.url = desired().url();
        let rotated = Desired {
            token: Some("new".into()),
            ..desired()
        };
        assert_eq!(sent(&decide(&rotated, Some(&record), Some(&live))), ["token"]);
        let (live, record) = registered();
        assert_eq!(
            sent(&decide(&rotated, Some(&record), Some(&live))),
            ["type", "url", "token"]
        );
    }

    #[test]
    fn parameters_of_others_neither_count_nor_get_lost() {
        let (mut live, record) = registered();
        let theirs = Parameter {
            name: "theirs".into(),
            value: "1".into(),
        };
        live.parameters.as_mut().unwrap().push(theirs.clone());
        assert!(matches!(decide(&desired(), Some(&record), Some(&live)), Plan::Nothing));

        let plain = Desired {
            tls_root_certificate_pem: None,
            ..desired()
        };
        let Plan::Patch { attributes } = decide(&plain, Some(&record), Some(&live)) else {
            panic!()
        };
        let mut names: Vec<_> = attributes
            .parameters
            .unwrap()
            .into_iter()
            .map(|parameter| parameter.name)
            .collect();
        names.sort();
        assert_eq!(names, ["loadBalancing", "theirs"]);
    }

    #[test]
    fn what_is_missing_means_its_default() {
        let mild = Desired {
            load_balancing: LoadBalancing::None,
            cache_strategy: CacheStrategy::Always,
            tls_root_certificate_pem: None,
            ..desired()
        };
        let (mut live, _) = registered();
        (live.parameters, live.cache_strategy) = (None, None);
        let record = remember(&mild, &live);
        assert!(matches!(decide(&mild, Some(&record), Some(&live)), Plan::Nothing));
    }

    #[rstest]
    #[case::ours("grpc+tls://sales-0.ns.svc:17001", Adoption::IfOwned, true)]
    #[case::ours_once("grpc://SALES-2.ns.svc:1;grpc+tls://sales-1.ns.svc", Adoption::IfOwned, true)]
    #[case::half("grpc://sales-0.ns.svc:1;grpc://other:1", Adoption::IfOwned, false)]
    #[case::prefix("grpc://sales-0.ns.svc.evil.example:1", Adoption::IfOwned, false)]
    #[case::user("grpc://sales-0.ns.svc@evil.example:1", Adoption::IfOwned, false)]
    #[case::nothing("", Adoption::IfOwned, false)]
    #[case::garbage("sales-0.ns.svc", Adoption::IfOwned, false)]
    #[case::never("grpc+tls://sales-0.ns.svc:17001", Adoption::Never, false)]
    #[case::always("grpc://other:1", Adoption::Always, true)]
    fn adoption_follows_the_policy(#[case] url: &str, #[case] adoption: Adoption, #[case] adopted: bool) {
        let wanted = Desired { adoption, ..desired() };
        let live = DataSource {
            url: Some(url.into()),
            ..registered().0
        };
        let plan = decide(&wanted, None, Some(&live));
        if adopted {
            let Plan::Patch { attributes } = plan else {
                panic!("{plan:?}")
            };
            assert_eq!(attributes.token.unwrap().expose_secret(), "flight-token");
        } else {
            assert!(
                matches!(
                    plan,
                    Plan::Refuse {
                        reason: Refusal::Foreign
                    }
                ),
                "{plan:?}"
            );
        }
    }

    #[rstest]
    #[case::managed(DataSource { managed: Some(true), ..registered().0 }, Refusal::Managed)]
    #[case::other_type(
        DataSource { kind: Some("SNOWFLAKE".into()), ..registered().0 }, Refusal::OtherType { kind: "SNOWFLAKE".into() })]
    fn some_are_never_touched(#[case] live: DataSource, #[case] refusal: Refusal) {
        let greedy = Desired {
            adoption: Adoption::Always,
            ..desired()
        };
        let record = remember(&greedy, &live);
        let Plan::Refuse { reason } = decide(&greedy, Some(&record), Some(&live)) else {
            panic!()
        };
        assert_eq!(reason, refusal);
        assert_eq!(
            refuse_removal(&greedy.every_host(), Some(&record), &live),
            Some(refusal)
        );
    }

    #[test]
    fn only_ours_is_removed() {
        let (live, record) = registered();
        let stranger = BTreeSet::from(["other".to_owned()]);
        assert_eq!(refuse_removal(&BTreeSet::new(), Some(&record), &live), None);
        assert_eq!(refuse_removal(&desired().every_host(), None, &live), None);
        assert_eq!(refuse_removal(&stranger, None, &live), Some(Refusal::Foreign));
        assert_eq!(refuse_removal(&BTreeSet::new(), None, &live), Some(Refusal::Foreign));
    }

    #[rstest]
    #[case("grpc://[fd00::1]:17001", Some("[fd00::1]"))]
    #[case("grpc+tls://a.B:1/", Some("a.b"))]
    #[case("grpc://:1", None)]
    fn hosts_of_urls(#[case] url: &str, #[case] expected: Option<&str>) {
        assert_eq!(host(url).as_deref(), expected);
    }

    prop_compose! {
        fn any_desired()(
            name in "[a-zA-Z ]{1,20}",
            ordinals in proptest::collection::vec(0..9u8, 1..5),
            token in proptest::option::of("[a-z]{1,8}"),
            pem in proptest::option::of("[A-Z]{1,8}"),
            load_balancing in proptest::sample::select(
                &[LoadBalancing::None, LoadBalancing::RoundRobin, LoadBalancing::Random][..]),
            cache_strategy in proptest::sample::select(&[CacheStrategy::Always, CacheStrategy::Never][..]),
        ) -> Desired {
            Desired {
                name,
                urls: ordinals.iter().map(|n| format!("grpc://sales-{n}.ns.svc:17001")).collect(),
                token: token.map(Into::into),
                tls_root_certificate_pem: pem,
                load_balancing,
                cache_strategy,
                adoption: Adoption::Always,
                ..desired()
            }
        }
    }

    prop_compose! {
        fn any_live()(
            name in proptest::option::of("[a-z]{0,5}"),
            schema in proptest::option::of("[a-z]{0,2}"),
            url in proptest::option::of("(grpc://[a-z]{1,3}:1;?){0,3}"),
            cache_strategy in proptest::option::of("(ALWAYS|NEVER|LATER)"),
            parameters in proptest::option::of(proptest::collection::vec(
                ("(loadBalancing|tlsRootCertificate|x)", "[a-z]{0,3}"), 0..4)),
        ) -> DataSource {
            let parameters = parameters
                .map(|list| list.into_iter().map(|(name, value)| Parameter { name, value }).collect());
            DataSource { name, kind: Some(FLEXCONNECT.into()), schema, url, cache_strategy, parameters, managed: None }
        }
    }

    proptest! {
        #[test]
        fn one_write_is_enough(
            wanted in any_desired(),
            live in proptest::option::of(any_live()),
            before in proptest::option::of(any_desired()),
            canonical: bool,
        ) {
            // Whatever we remember, be it of an older object, ...
            let record = before.map(|before| remember(&before, live.as_ref().unwrap_or(&DataSource::default())));
            let after = match decide(&wanted, record.as_ref(), live.as_ref()) {
                Plan::Nothing => live.clone().unwrap(),
                Plan::Create => store(None, &Attributes::all(&wanted), canonical),
                Plan::Patch { attributes } => store(live.as_ref(), &attributes, canonical),
                Plan::Refuse { reason } => return Err(TestCaseError::fail(reason.to_string())),
            };
            // ... after one write nothing is left to do, and another object is written once more.
            let record = remember(&wanted, &after);
            let again = decide(&wanted, Some(&record), Some(&after));
            prop_assert!(matches!(again, Plan::Nothing), "{again:?}");
            let other = Desired { name: format!("{}!", wanted.name), ..wanted };
            let plan = decide(&other, Some(&record), Some(&after));
            prop_assert!(matches!(plan, Plan::Patch { .. }), "{plan:?}");
        }
    }
}
