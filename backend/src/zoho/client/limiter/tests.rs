use std::time::Duration;

use super::{CallOutcome, CreditReport, HOLD, Limiter};
use crate::{clock::Timestamp, delivery::Admission, model::Lane};

const HOUR: i64 = 60 * 60 * 1_000;
const QUARTER: i64 = 15 * 60 * 1_000;

fn outcome(report: CreditReport) -> CallOutcome {
    CallOutcome { credits: report, throttled: false, answered: true }
}

/// Makes a call that writes 100 records and tells what is left after it.
async fn call(limiter: &Limiter, report: CreditReport, now: Timestamp) {
    limiter.permit(100, 10).await.end(outcome(report), now);
}

async fn with_left(left: i64, reserve: u32) -> Limiter {
    let limiter = Limiter::new(reserve);
    limiter.permit(0, 1).await.end(outcome(CreditReport::Left(left)), Timestamp(0));
    limiter
}

#[tokio::test]
async fn full_speed_while_it_suffices() {
    let limiter = Limiter::new(100);
    assert_eq!(limiter.admit(Lane::User, u64::MAX, Timestamp(0)), Admission::Go, "no number: plenty is left");
    let limiter = with_left(500, 100).await;
    for _ in 0..3 {
        assert_eq!(limiter.admit(Lane::Grade, 4_000, Timestamp(0)), Admission::Go);
    }
    let limiter = with_left(500, 100).await;
    assert_eq!(limiter.admit(Lane::Grade, 4_001, Timestamp(0)), Admission::Go, "the first goes at once");
    let Admission::Wait { until, reason, done_at } = limiter.admit(Lane::Grade, 4_001, Timestamp(0)) else {
        panic!("nothing is spread")
    };
    // 10 of 400 credits, so a fortieth of a day; 401 of them take a little more than a day.
    assert_eq!(until, Timestamp(24 * HOUR / 40));
    assert_eq!(done_at, Some(Timestamp(24 * HOUR * 401 / 400)));
    assert!(reason.contains("490") && reason.contains("401"), "{reason}");
}

#[tokio::test]
async fn the_reserve_is_kept() {
    let now = Timestamp(HOUR);
    for (left, waiting) in [(100, 1), (50, 1), (0, 10_000), (109, 10_000)] {
        let limiter = with_left(left, 100).await;
        let Admission::Exhausted { check_at, reason } = limiter.admit(Lane::NewUser, waiting, now) else {
            panic!("{left} left and {waiting} waiting")
        };
        assert_eq!(check_at, now, "the number is an hour old");
        assert!(reason.contains("100 of them are reserved"), "{reason}");
        assert!(limiter.is_refresh_due(now));
    }
    let limiter = with_left(100, 100).await;
    let exhausted = limiter.admit(Lane::Grade, 1, Timestamp(1_000));
    assert!(matches!(exhausted, Admission::Exhausted { check_at: Timestamp(QUARTER), .. }), "{exhausted:?}");
    assert!(!limiter.is_refresh_due(Timestamp(QUARTER - 1)) && limiter.is_refresh_due(Timestamp(QUARTER)));
}

#[tokio::test]
async fn a_refusal_without_a_number_is_refreshed_soon() {
    let limiter = Limiter::new(100);
    call(&limiter, CreditReport::UsedUp, Timestamp(0)).await;
    let exhausted = limiter.admit(Lane::Grade, 1, Timestamp(0));
    assert!(matches!(exhausted, Admission::Exhausted { check_at: Timestamp(60_000), .. }), "{exhausted:?}");
    assert!(!limiter.take_refresh(Timestamp(59_999)) && limiter.take_refresh(Timestamp(60_000)));
    assert!(!limiter.take_refresh(Timestamp(60_001)), "one refresh at a time");
    assert!(limiter.take_refresh(Timestamp(120_000)), "and another one when that brought no answer");
}

#[tokio::test]
async fn profile_changes_stop_first() {
    let limiter = with_left(205, 100).await;
    for lane in Lane::ALL {
        let admission = limiter.admit(lane, 100, Timestamp(0));
        let stopped = matches!(admission, Admission::Wait { done_at: None, until: Timestamp(QUARTER), .. });
        assert_eq!(stopped, matches!(lane, Lane::Course | Lane::User), "{lane:?}: {admission:?}");
        assert!(stopped || admission == Admission::Go, "{lane:?}: {admission:?}");
    }
    let limiter = with_left(210, 100).await;
    assert_eq!(limiter.admit(Lane::User, 100, Timestamp(0)), Admission::Go);
}

/// 500 left, 100 reserved, 10,000 waiting: the reserve is never touched, and a day spends what may be spent.
#[tokio::test]
async fn the_credits_last_a_day() {
    let limiter = with_left(500, 100).await;
    let (mut now, mut left, mut waiting) = (Timestamp(0), 500, 10_000);
    let end = Timestamp(24 * HOUR);
    let mut promised = None;
    while now < end {
        match limiter.admit(Lane::Grade, waiting, now) {
            Admission::Go => {
                (left, waiting) = (left - 10, waiting - 100);
                assert!(left >= 100, "{left} left at {now:?}");
                call(&limiter, CreditReport::Left(left), now).await;
            }
            Admission::Wait { until, done_at, .. } => {
                assert!(until > now);
                promised = promised.or(done_at);
                now = until;
            }
            Admission::Exhausted { check_at, .. } => now = check_at.max(Timestamp(now.0 + 1)),
        }
    }
    assert_eq!((left, waiting), (100, 6_000));
    // The first call went at once; the other 990 credits at 400 a day.
    assert_eq!(promised, Some(Timestamp(24 * HOUR * 990 / 400)));

    // A day after, all of them have come back.
    limiter.permit(0, 1).await.end(outcome(CreditReport::Left(800)), now);
    assert_eq!(limiter.admit(Lane::Grade, waiting, now), Admission::Go);
    assert_eq!(limiter.admit(Lane::Grade, waiting, now), Admission::Go, "and they suffice for full speed");
    limiter.permit(0, 1).await.end(outcome(CreditReport::Plenty), now);
    assert_eq!((limiter.admit(Lane::User, u64::MAX, now), limiter.credits()), (Admission::Go, None));
}

#[tokio::test]
async fn after_a_small_call_the_next_is_sooner_and_after_none_at_once() {
    let limiter = with_left(500, 100).await;
    let until = |now: i64| match limiter.admit(Lane::Grade, 10_000, Timestamp(now)) {
        Admission::Go => None,
        Admission::Wait { until, .. } => Some(until),
        exhausted => panic!("{exhausted:?}"),
    };
    assert_eq!(until(0), None);
    // The delivery found nothing to send.
    assert_eq!(until(5_000), None);
    limiter.permit(3, 1).await.end(outcome(CreditReport::Left(499)), Timestamp(5_000));
    assert_eq!(until(5_000), Some(Timestamp(24 * HOUR / 400)));
}

#[tokio::test]
async fn many_workers_at_once_do_not_touch_the_reserve() {
    let limiter = with_left(135, 100).await;
    let go = (0..8).filter(|_| limiter.admit(Lane::Grade, 300, Timestamp(0)) == Admission::Go).count();
    assert_eq!(go, 3);
}

#[tokio::test]
async fn calls_whose_answers_say_nothing_are_counted() {
    let limiter = with_left(120, 100).await;
    let under_way = limiter.permit(100, 10).await;
    assert_eq!(limiter.admit(Lane::Grade, 100, Timestamp(0)), Admission::Go);
    let second = limiter.permit(100, 10).await;
    assert!(matches!(limiter.admit(Lane::Grade, 100, Timestamp(0)), Admission::Exhausted { .. }));
    under_way.end(outcome(CreditReport::Nothing), Timestamp(1));
    drop(second);
    assert_eq!(limiter.credits(), Some((100, Timestamp(0))));
    assert!(matches!(limiter.admit(Lane::Grade, 1, Timestamp(0)), Admission::Exhausted { .. }));
}

#[tokio::test]
async fn an_overtaken_answer_raises_nothing() {
    let limiter = with_left(500, 100).await;
    let (first, second) = (limiter.permit(100, 10).await, limiter.permit(100, 10).await);
    second.end(outcome(CreditReport::Left(480)), Timestamp(1));
    first.end(outcome(CreditReport::Left(490)), Timestamp(2));
    assert_eq!(limiter.credits(), Some((480, Timestamp(2))));
    call(&limiter, CreditReport::Left(600), Timestamp(3)).await;
    assert_eq!(limiter.credits(), Some((600, Timestamp(3))), "credits that came back are believed");
}

#[tokio::test]
async fn a_refresh_is_due_when_spreading_lasts_long() {
    let limiter = with_left(200, 100).await;
    for _ in 0..2 {
        limiter.admit(Lane::Grade, 100_000, Timestamp(0));
    }
    assert!(!limiter.is_refresh_due(Timestamp(HOUR - 1)) && limiter.is_refresh_due(Timestamp(HOUR)));
}

/// Ends a round of as many calls as are allowed.
async fn round(limiter: &Limiter) {
    let mut permits = Vec::new();
    for _ in 0..limiter.concurrency() {
        permits.push(limiter.permit(1, 1).await);
    }
    for permit in permits {
        permit.end(outcome(CreditReport::Plenty), Timestamp(0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_grows_by_one_and_is_halved() {
    let limiter = Limiter::new(0);
    assert_eq!(limiter.concurrency(), 5);
    for _ in 0..200 {
        round(&limiter).await;
    }
    assert_eq!(limiter.concurrency(), 25, "no more than Zoho allows anybody");

    // All concurrent calls are refused together; that lowers the limit once.
    let mut permits = Vec::new();
    for _ in 0..4 {
        permits.push(limiter.permit(1, 1).await);
    }
    for permit in permits {
        permit.end(CallOutcome { credits: CreditReport::Nothing, throttled: true, answered: true }, Timestamp(0));
    }
    assert_eq!(limiter.concurrency(), 12);
    let before = tokio::time::Instant::now();
    drop(limiter.permit(1, 1).await);
    assert!(before.elapsed() >= HOLD, "the next call waits a little");
    for _ in 0..10 {
        let throttled = CallOutcome { credits: CreditReport::Nothing, throttled: true, answered: true };
        limiter.permit(1, 1).await.end(throttled, Timestamp(0));
    }
    assert_eq!(limiter.concurrency(), 1, "one is always possible");
}

#[tokio::test(start_paused = true)]
async fn a_few_calls_say_nothing_about_many() {
    let limiter = Limiter::new(0);
    for _ in 0..200 {
        limiter.permit(1, 1).await.end(outcome(CreditReport::Plenty), Timestamp(0));
    }
    assert_eq!(limiter.concurrency(), 5);
}

#[tokio::test(start_paused = true)]
async fn wide_calls_have_a_limit_of_their_own() {
    let limiter = Limiter::new(0);
    for _ in 0..200 {
        round(&limiter).await;
    }
    let mut wide = Vec::new();
    for _ in 0..10 {
        wide.push(limiter.permit(11, 2).await);
    }
    let waits = tokio::time::timeout(Duration::from_secs(1), limiter.permit(11, 2)).await;
    assert!(waits.is_err(), "an eleventh wide call began");
    drop(limiter.permit(10, 1).await);
    drop(wide.pop());
    drop(limiter.permit(11, 2).await);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_begins_when_another_ends() {
    let limiter = std::sync::Arc::new(Limiter::new(0));
    let mut permits = Vec::new();
    for _ in 0..5 {
        permits.push(limiter.permit(1, 1).await);
    }
    let waiting = tokio::spawn({
        let limiter = std::sync::Arc::clone(&limiter);
        async move { drop(limiter.permit(1, 1).await) }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(permits.pop());
    waiting.await.unwrap();
}
