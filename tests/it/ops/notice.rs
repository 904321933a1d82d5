use std::time::Duration;

use testflinger_server::domain::{Clock, Form, Message, Notice};
use testflinger_server::ops::{self, Sent};
use testflinger_server::store::{NoticeReads, Tray};

use crate::support::Lab;

fn notify(lab: &Lab, body: &str) {
    let url = "http://hook/x".to_owned();
    let message = Message { form: Form::Event, url, body: body.to_owned() };
    lab.store.write(move |tx, now| ops::notify(tx, now, message.clone())).unwrap();
}

fn all(lab: &Lab, tray: Tray) -> Vec<Notice> {
    lab.store.read().unwrap().notices_after(tray, 0, usize::MAX).unwrap()
}

fn failed(lab: &Lab) -> Option<Duration> {
    let number = all(lab, Tray::Waiting)[0].number;
    let sent = Sent::Failed("it answered 503".to_owned());
    let again = lab.store.write(move |tx, now| ops::note_sent(tx, now, number, &sent)).unwrap();
    again.map(|at| at.since(lab.clock.now()))
}

#[test]
fn what_is_not_taken_is_sent_after_longer_and_longer_pauses_and_given_up_after_a_day() {
    let lab = Lab::new();
    notify(&lab, "b");
    let mut pauses = Vec::new();
    while let Some(pause) = failed(&lab) {
        pauses.push(pause.as_secs());
        lab.clock.advance(pause);
    }
    assert_eq!(pauses[..10], [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
    assert!(pauses.iter().sum::<u64>() >= 24 * 3600 && pauses.len() < 40, "{pauses:?}");
    assert_eq!(all(&lab, Tray::Waiting), []);
    let dead = all(&lab, Tray::Dead);
    assert_eq!((dead.len(), dead[0].error.as_str()), (1, "it answered 503"));
    assert_eq!(dead[0].tries as usize, pauses.len() + 1);
}

#[test]
fn what_was_given_up_is_sent_again_or_forgotten_when_somebody_says_so() {
    let lab = Lab::new();
    for body in ["a", "b"] {
        notify(&lab, body);
        let number = all(&lab, Tray::Waiting)[0].number;
        let refused = Sent::Refused("it answered 404".to_owned());
        lab.store.write(move |tx, now| ops::note_sent(tx, now, number, &refused)).unwrap();
    }
    let numbers: Vec<u64> = all(&lab, Tray::Dead).iter().map(|dead| dead.number).collect();
    let (first, second) = (numbers[0], numbers[1]);
    lab.store.write(move |tx, now| ops::retry_notice(tx, now, first)).unwrap();
    let waiting = all(&lab, Tray::Waiting);
    assert_eq!((waiting[0].message.body.as_str(), waiting[0].tries), ("a", 0));
    lab.store.write(move |tx, _| ops::drop_notice(tx, second)).unwrap();
    assert_eq!(all(&lab, Tray::Dead), []);
    let again = lab.store.write(move |tx, _| ops::drop_notice(tx, second));
    assert!(!again.unwrap());
}

#[test]
fn the_oldest_give_way_when_too_much_waits() {
    let lab = Lab::new();
    let large = "x".repeat(1 << 20);
    for n in 0..100 {
        notify(&lab, &format!("{n} {large}"));
    }
    let (waiting, dead) = (all(&lab, Tray::Waiting), all(&lab, Tray::Dead));
    let size = |all: &[Notice]| all.iter().map(|notice| notice.message.size()).sum::<u64>();
    assert!(size(&waiting) <= 64 << 20 && waiting.len() > 60, "{}", waiting.len());
    assert!(size(&dead) <= 16 << 20 && dead.len() > 10, "{}", dead.len());
    assert!(waiting.last().unwrap().message.body.starts_with("99 "));
    assert!(dead.iter().all(|dead| dead.error == "too many others waited"));
    let tx = lab.store.read().unwrap();
    for (tray, all) in [(Tray::Waiting, &waiting), (Tray::Dead, &dead)] {
        assert_eq!(tx.notices_size(tray).unwrap(), (all.len() as u64, size(all)));
    }
}
