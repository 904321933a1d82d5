//! Operations that share a commit.

use std::sync::mpsc::{Receiver, channel};

use testflinger_server::domain::Advertised;
use testflinger_server::ops;
use testflinger_server::store::{Error, QueueReads, Store, Where, WriteTx};

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
        Where::Writer,
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
            store.submit(Where::Writer, move |tx, _| run(tx), reply);
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

/// Where an operation ran.
fn ran_at(store: &Store, at: Where) -> std::thread::ThreadId {
    let (sender, receiver) = channel();
    let run = |tx: &mut WriteTx<'_>, _| {
        advertise(tx, "a")?;
        Ok::<_, ops::Error>(std::thread::current().id())
    };
    store.submit(at, run, move |outcome| sender.send(outcome.unwrap()).unwrap());
    receiver.recv().unwrap()
}

#[test]
fn a_caller_that_is_alone_writes_on_its_own_thread_if_it_may() {
    let (lab, me) = (Lab::new(), std::thread::current().id());
    assert_eq!(ran_at(&lab.store, Where::Caller), me);
    assert_ne!(ran_at(&lab.store, Where::Writer), me);
    assert_eq!(advertised(&lab.store), ["a"]);
}

#[test]
fn after_two_have_met_the_writer_writes_for_a_while_and_then_callers_again() {
    let (lab, me) = (Lab::new(), std::thread::current().id());
    batch(&lab.store, vec![good("b"), good("c")]);
    let at: Vec<bool> = (0..80).map(|_| ran_at(&lab.store, Where::Caller) == me).collect();
    assert!(!at[0] && at[79], "{at:?}");
    assert!(at.is_sorted(), "{at:?}");
}

#[test]
fn what_comes_while_a_caller_writes_is_written_by_the_writer() {
    let lab = Lab::new();
    let store = &lab.store;
    let (begun, begins) = channel();
    let (release, held) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let wait = move |_: &mut WriteTx<'_>, _| {
                begun.send(()).unwrap();
                held.recv().unwrap();
                Ok::<_, ops::Error>(())
            };
            store.submit(Where::Caller, wait, |_| ());
        });
        begins.recv().unwrap();
        let (sender, receiver) = channel();
        let write = |tx: &mut WriteTx<'_>, _| Ok::<_, ops::Error>(advertise(tx, "a")?);
        store.submit(Where::Caller, write, move |outcome| sender.send(outcome).unwrap());
        assert!(receiver.try_recv().is_err());
        release.send(()).unwrap();
        assert!(receiver.recv().unwrap().is_ok());
    });
    store.close().unwrap();
}

#[test]
fn a_closed_store_refuses_reads_and_writes() {
    let lab = Lab::new();
    lab.store.close().unwrap();
    assert!(matches!(lab.store.read().map(|_| ()), Err(Error::Closed)));
    let write = lab.store.write::<(), ops::Error>(|tx, _| Ok(advertise(tx, "a")?));
    assert!(matches!(write, Err(ops::Error::Store(Error::Closed))));
}
