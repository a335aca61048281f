//! Sessions that other parties opened at this node: OFFERED → CONFIRMED → OPEN → CLOSED or ABORTED (spec/session.md,
//! section 7).
use crate::channel::{Duplex, Stopper, Wiring};
use crate::config::AllowEntry;
use crate::store::DatasetRecord;
use hefu_core::{Code, Fault, PartyId, Rank, SessionId};
use hefu_crypto::Agreement;
use hefu_protocol::session::Offer;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Ended sessions that are still known as such.
const REMEMBERED: usize = 4096;

/// Where a session stands.
pub(crate) enum State {
    /// This party's secret, until the keys are derived.
    Offered(Agreement),
    /// Everything is agreed; the stream has not come.
    Confirmed(Wiring),
    /// The stream is here.
    Open,
    Closed,
    Aborted,
}

/// A request to close, with the place for its answer.
pub(crate) type CloseRequest = oneshot::Sender<Result<(), Fault>>;

/// A session that this node collaborates in.
pub(crate) struct Held {
    pub(crate) id: SessionId,
    pub(crate) offer: Offer,
    /// Exact bytes.
    pub(crate) offer_envelope: Vec<u8>,
    /// Exact bytes.
    pub(crate) confirm_envelope: Vec<u8>,
    pub(crate) rank: Rank,
    /// By rank.
    pub(crate) parties: Arc<[PartyId]>,
    /// The entry that permits the job.
    pub(crate) entry: AllowEntry,
    pub(crate) dataset: DatasetRecord,
    pub(crate) stopper: Stopper,
    state: Mutex<State>,
    attach: mpsc::Sender<(Wiring, Duplex)>,
    close: mpsc::Sender<CloseRequest>,
}

/// What the job of a session waits for.
pub(crate) struct SessionEvents {
    pub(crate) attached: mpsc::Receiver<(Wiring, Duplex)>,
    pub(crate) closing: mpsc::Receiver<CloseRequest>,
}

/// What a new session is made of.
pub(crate) struct NewSession {
    pub(crate) offer: Offer,
    pub(crate) offer_envelope: Vec<u8>,
    pub(crate) confirm_envelope: Vec<u8>,
    pub(crate) rank: Rank,
    pub(crate) entry: AllowEntry,
    pub(crate) dataset: DatasetRecord,
    pub(crate) agreement: Agreement,
    pub(crate) stopper: Stopper,
}

impl Held {
    pub(crate) fn new(new: NewSession) -> (Self, SessionEvents) {
        let (attach, attached) = mpsc::channel(1);
        let (close, closing) = mpsc::channel(1);
        let held = Held {
            id: new.offer.session,
            parties: new.offer.parties.iter().map(|party| party.party.clone()).collect(),
            offer: new.offer,
            offer_envelope: new.offer_envelope,
            confirm_envelope: new.confirm_envelope,
            rank: new.rank,
            entry: new.entry,
            dataset: new.dataset,
            stopper: new.stopper,
            state: Mutex::new(State::Offered(new.agreement)),
            attach,
            close,
        };
        (held, SessionEvents { attached, closing })
    }

    pub(crate) fn initiator(&self) -> &PartyId {
        &self.parties[0]
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// CONFIRMED → OPEN: hands the stream to the job.
    ///
    /// # Errors
    /// `WRONG_STATE`; before the session is confirmed it cites SESS-17.
    pub(crate) fn attach(&self, duplex: Duplex) -> Result<(), Fault> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Open) {
            State::Confirmed(wiring) => self.attach.try_send((wiring, duplex)).map_err(|_| wrong_state()),
            other => {
                let fault =
                    if matches!(other, State::Offered(_)) { wrong_state().citing("SESS-17") } else { wrong_state() };
                *state = other;
                Err(fault)
            }
        }
    }

    /// OPEN → CLOSED, asked of the job: it answers when its results are final.
    ///
    /// # Errors
    /// `WRONG_STATE`.
    pub(crate) fn request_close(&self) -> Result<oneshot::Receiver<Result<(), Fault>>, Fault> {
        if !matches!(*self.state(), State::Open) {
            return Err(wrong_state());
        }
        let (answer, answered) = oneshot::channel();
        self.close.try_send(answer).map_err(|_| wrong_state())?;
        Ok(answered)
    }

    /// Any state but an end → ABORTED.
    ///
    /// # Errors
    /// `WRONG_STATE`.
    pub(crate) fn abort(&self, fault: Fault) -> Result<(), Fault> {
        let mut state = self.state();
        if matches!(*state, State::Closed | State::Aborted) {
            return Err(wrong_state());
        }
        *state = State::Aborted;
        self.stopper.stop(fault);
        Ok(())
    }

    /// The job has ended.
    pub(crate) fn end(&self, is_closed: bool) {
        *self.state() = if is_closed { State::Closed } else { State::Aborted };
    }
}

pub(crate) fn wrong_state() -> Fault {
    Fault::new(Code::WrongState)
}

enum Entry {
    Live(Arc<Held>),
    /// Ended; its initiator.
    Over(PartyId),
}

/// All sessions that this node collaborates in, or has lately.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    entries: HashMap<SessionId, Entry>,
    ended: VecDeque<SessionId>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, held: Arc<Held>) {
        self.lock().entries.insert(held.id, Entry::Live(held));
    }

    /// The session of an id, for the party of the connection.
    ///
    /// # Errors
    /// `UNKNOWN_SESSION`; `WRONG_PARTY` for anybody but its initiator, citing `requirement`; `WRONG_STATE` after its
    /// end.
    pub(crate) fn find(
        &self,
        session: SessionId,
        peer: &PartyId,
        requirement: &'static str,
    ) -> Result<Arc<Held>, Fault> {
        let inner = self.lock();
        let entry = inner.entries.get(&session).ok_or_else(|| Fault::new(Code::UnknownSession))?;
        let initiator = match entry {
            Entry::Live(held) => held.initiator(),
            Entry::Over(initiator) => initiator,
        };
        if initiator != peer {
            return Err(Fault::new(Code::WrongParty).by(peer).citing(requirement));
        }
        match entry {
            Entry::Live(held) => Ok(held.clone()),
            Entry::Over(_) => Err(wrong_state()),
        }
    }

    /// Keeps of an ended session only that it was there.
    pub(crate) fn end(&self, held: &Held) {
        let mut inner = self.lock();
        inner.entries.insert(held.id, Entry::Over(held.initiator().clone()));
        inner.ended.push_back(held.id);
        if inner.ended.len() > REMEMBERED
            && let Some(oldest) = inner.ended.pop_front()
        {
            inner.entries.remove(&oldest);
        }
    }
}
