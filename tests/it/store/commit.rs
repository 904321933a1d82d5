//! Operations that share a commit.

use std::sync::mpsc::{Receiver, channel};

use testflinger_server::domain::Advertised;
use testflinger_server::ops;
use testflinger_server::store::{Error, QueueReads, Store, WriteTx};

use crate::support::{Lab, queues};

type Outcome = Result<(), ops::Error>;

fn advertise(tx: &mut WriteTx<'_>, name: &str) -> Result<(), Error> {
    let name = queues(&[name]).remove(0);
    tx.put_advertised(&Advertised { name, description: String::new(), updated_at: None })
}

fn advertised(store: &Store) -> Vec<String> {
    let tx = store.read().unwrap();
    tx.advertised_after(None, 100).unwrap().iter().map(|queue| queue.name.to_string()).collect()
}

/// One operation of a batch.
type Run = Box<dyn FnMut(&mut WriteTx<'_>) -> Outcome + Send>;

/// Runs operations so that they share a batch: the writer is held up until all of them wait.
fn batch(store: &Store, operations: Vec<Run>) -> Vec<Outcome> {
    let (release, held) = channel::<()>();
    let (begun, begins) = channel();
    store.submit::<(), ops::Error>(
        move |_, _| {
            begun.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        },
        |_| (),
    );
    begins.recv().unwrap();
    let outcomes: Vec<Receiver<Outcome>> = operations
        .into_iter()
        .map(|mut run| {
            let (sender, receiver) = channel();
            let reply = move |outcome| sender.send(outcome).unwrap();
            store.submit(move |tx, _| run(tx), reply);
            receiver
        })
        .collect();
    release.send(()).unwrap();
    outcomes.into_iter().map(|outcome| outcome.recv().unwrap()).collect()
}

fn good(name: &'static str) -> Run {
    Box::new(move |tx| Ok(advertise(tx, name)?))
}

#[test]
fn an_operation_that_fails_after_a_write_rolls_back_only_itself() {
    let lab = Lab::new();
    let fails: Run = Box::new(|tx| {
        advertise(tx, "half")?;
        Err(ops::Error::NoJob)
    });
    let outcomes = batch(&lab.store, vec![good("a"), fails, good("b")]);
    assert!(matches!(outcomes[..], [Ok(()), Err(ops::Error::NoJob), Ok(())]), "{outcomes:?}");
    assert_eq!(advertised(&lab.store), ["a", "b"]);
}

#[test]
fn an_operation_that_fails_before_its_first_write_costs_the_others_nothing() {
    let lab = Lab::new();
    let (seen, runs) = channel();
    let counted: Run = Box::new(move |tx| {
        seen.send(()).unwrap();
        Ok(advertise(tx, "a")?)
    });
    let outcomes = batch(&lab.store, vec![counted, Box::new(|_| Err(ops::Error::NoJob))]);
    assert!(matches!(outcomes[..], [Ok(()), Err(ops::Error::NoJob)]), "{outcomes:?}");
    assert_eq!(runs.try_iter().count(), 1);
    assert_eq!(advertised(&lab.store), ["a"]);
}

#[test]
fn a_panicking_operation_fails_alone() {
    let lab = Lab::new();
    let early: Run = Box::new(|_| panic!("a panic that the test wants"));
    let late: Run = Box::new(|tx| {
        advertise(tx, "half")?;
        panic!("another panic that the test wants")
    });
    let outcomes = batch(&lab.store, vec![good("a"), early, good("b"), late, good("c")]);
    let panicked = |outcome: &Outcome| matches!(outcome, Err(ops::Error::Store(Error::Panicked)));
    let seen: Vec<bool> = outcomes.iter().map(panicked).collect();
    assert_eq!(seen, [false, true, false, true, false]);
    assert!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() == 3, "{outcomes:?}");
    assert_eq!(advertised(&lab.store), ["a", "b", "c"]);
}

#[test]
fn later_operations_see_what_earlier_ones_of_their_batch_wrote() {
    let lab = Lab::new();
    let sees: Run = Box::new(|tx| {
        let found = tx.advertised(&queues(&["a"])[0])?;
        if found.is_some() { Ok(()) } else { Err(ops::Error::NoJob) }
    });
    let outcomes = batch(&lab.store, vec![good("a"), sees]);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[test]
fn a_closed_store_refuses_reads_and_writes() {
    let lab = Lab::new();
    lab.store.close().unwrap();
    assert!(matches!(lab.store.read().map(|_| ()), Err(Error::Closed)));
    let write = lab.store.write::<(), ops::Error>(|tx, _| Ok(advertise(tx, "a")?));
    assert!(matches!(write, Err(ops::Error::Store(Error::Closed))));
}
