//! Random clients against the bounds.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Action {
    Submit { seconds: u64, heeds: bool },
    Cancel(prop::sample::Index),
    Pass(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => (0_u64..40, any::<bool>()).prop_map(|(seconds, heeds)| Action::Submit { seconds, heeds }),
        2 => any::<prop::sample::Index>().prop_map(Action::Cancel),
        2 => (0_u64..15).prop_map(Action::Pass),
    ];
    prop::collection::vec(action, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever clients do, slots and queue keep their bounds, every task ends, and nothing is left in the end.
    #[test]
    fn bounds_hold_and_everything_ends(threads in 1_usize..4, queue in 0_usize..4, actions in actions()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async move {
            let tasks = Tasks::start(Limits { threads, queue, call_deadline: 30 * SECOND, ..limits() });
            let mut submitted = Vec::new();
            for action in actions {
                match action {
                    Action::Submit { seconds, heeds } => {
                        let time = Duration::from_secs(seconds);
                        let function = if heeds { sleeper(time) } else { stubborn(time) };
                        submitted.extend(tasks.submit(submission(&function.registered())));
                    }
                    Action::Cancel(_) if submitted.is_empty() => {}
                    Action::Cancel(index) => {
                        tasks.cancel(&index.get(&submitted).id().to_string());
                    }
                    Action::Pass(seconds) => sleep(Duration::from_secs(seconds)).await,
                }
                let load = tasks.load();
                assert!(load.running <= Shares::new(threads).total(), "{load:?}");
                assert!(load.queued <= Shares::new(queue).total(), "{load:?}");
            }
            // Each task ends at its deadline, plus the grace of those that do not listen, at the latest.
            sleep(36 * SECOND).await;
            assert!(submitted.iter().all(|task| task.ending().is_some()));
            assert_eq!(tasks.load().running, 0);
            sleep(TTL + SECOND).await;
            assert!(submitted.iter().all(|task| tasks.find(&task.id().to_string()).is_none()));
            assert!(tasks.load().is_idle());
        });
    }
}
