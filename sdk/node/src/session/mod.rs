//! Sessions that other parties opened at this node: OFFERED → CONFIRMED → OPEN → CLOSED or ABORTED (spec/session.md,
//! section 7).
use crate::channel::{Duplex, Stopper, Wiring, stopped};
use crate::config::AllowEntry;
use crate::store::DatasetRecord;
use hefu_core::{Code, Fault, JobId, PartyId, Rank, SessionId};
use hefu_crypto::Agreement;
use hefu_protocol::aggregate::{self, MaskKey, Roster};
use hefu_protocol::session::{self, Offer};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Ended sessions that are still known as such.
const REMEMBERED: usize = 4096;

/// A kind of session, by its plan.
pub(crate) trait Sitting {
    /// This party's secrets until the keys are derived.
    type Secret: Send;
    /// What the parties have agreed on, beside the keys.
    type Agreed: Send;
}

/// Alignment, training, scoring.
impl Sitting for session::Plan {
    type Secret = Agreement;
    type Agreed = ();
}

/// One round of an aggregation.
impl Sitting for aggregate::Plan {
    type Secret = (Agreement, MaskKey);
    type Agreed = (Arc<Roster>, MaskKey);
}

/// Where a session stands.
pub(crate) enum State<P: Sitting> {
    /// This party's secret, until the keys are derived.
    Offered(P::Secret),
    /// Everything is agreed; the stream has not come.
    Confirmed(Wiring, P::Agreed),
    /// The stream is here.
    Open,
    Closed,
    Aborted,
}

/// A request to close, with the place for its answer.
pub(crate) type CloseRequest = oneshot::Sender<Result<(), Fault>>;

/// A session that this node collaborates in.
pub(crate) struct Held<P: Sitting = session::Plan> {
    pub(crate) id: SessionId,
    pub(crate) offer: Offer<P>,
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
    state: Mutex<State<P>>,
    attach: mpsc::Sender<Attached<P>>,
    close: mpsc::Sender<CloseRequest>,
}

/// A confirmed session with its stream.
pub(crate) struct Attached<P: Sitting> {
    pub(crate) wiring: Wiring,
    pub(crate) duplex: Duplex,
    pub(crate) agreed: P::Agreed,
}

/// What the job of a session waits for.
pub(crate) struct SessionEvents<P: Sitting = session::Plan> {
    pub(crate) attached: mpsc::Receiver<Attached<P>>,
    pub(crate) closing: mpsc::Receiver<CloseRequest>,
}

impl<P: Sitting> SessionEvents<P> {
    /// Waits for the stream of the session.
    ///
    /// # Errors
    /// What stops the session; `LINK_CUT`; `PEER_SLOW` after the idle time (FRAME-12).
    pub(crate) async fn attached(&mut self, held: &Held<P>, idle: Duration) -> Result<Attached<P>, Fault> {
        let mut stop = held.stopper.watch();
        tokio::select! {
            fault = stopped(&mut stop) => Err(fault),
            attached = self.attached.recv() => attached.ok_or_else(|| Fault::new(Code::LinkCut).by(held.initiator())),
            () = tokio::time::sleep(idle) => {
                Err(Fault::new(Code::PeerSlow).by(held.initiator()).citing("FRAME-12"))
            }
        }
    }
}

/// What a new session is made of.
pub(crate) struct NewSession<P: Sitting = session::Plan> {
    pub(crate) offer: Offer<P>,
    pub(crate) offer_envelope: Vec<u8>,
    pub(crate) confirm_envelope: Vec<u8>,
    pub(crate) rank: Rank,
    pub(crate) entry: AllowEntry,
    pub(crate) dataset: DatasetRecord,
    pub(crate) secret: P::Secret,
    pub(crate) stopper: Stopper,
}

impl<P: Sitting> Held<P> {
    pub(crate) fn new(new: NewSession<P>) -> (Self, SessionEvents<P>) {
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
            state: Mutex::new(State::Offered(new.secret)),
            attach,
            close,
        };
        (held, SessionEvents { attached, closing })
    }

    pub(crate) fn initiator(&self) -> &PartyId {
        &self.parties[0]
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// CONFIRMED → OPEN: hands the stream to the job.
    ///
    /// # Errors
    /// `WRONG_STATE`; before the session is confirmed it cites SESS-17.
    pub(crate) fn attach(&self, duplex: Duplex) -> Result<(), Fault> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Open) {
            State::Confirmed(wiring, agreed) => {
                self.attach.try_send(Attached { wiring, duplex, agreed }).map_err(|_| wrong_state())
            }
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

/// A session at work, of either kind.
#[derive(Clone)]
pub(crate) enum Live {
    Joint(Arc<Held>),
    Round(Arc<Held<aggregate::Plan>>),
}

impl Live {
    fn id(&self) -> SessionId {
        match self {
            Live::Joint(held) => held.id,
            Live::Round(held) => held.id,
        }
    }

    fn initiator(&self) -> &PartyId {
        match self {
            Live::Joint(held) => held.initiator(),
            Live::Round(held) => held.initiator(),
        }
    }

    /// As [`Held::attach`].
    ///
    /// # Errors
    /// `WRONG_STATE`.
    pub(crate) fn attach(&self, duplex: Duplex) -> Result<(), Fault> {
        match self {
            Live::Joint(held) => held.attach(duplex),
            Live::Round(held) => held.attach(duplex),
        }
    }

    /// As [`Held::request_close`].
    ///
    /// # Errors
    /// `WRONG_STATE`.
    pub(crate) fn request_close(&self) -> Result<oneshot::Receiver<Result<(), Fault>>, Fault> {
        match self {
            Live::Joint(held) => held.request_close(),
            Live::Round(held) => held.request_close(),
        }
    }

    /// As [`Held::abort`].
    ///
    /// # Errors
    /// `WRONG_STATE`.
    pub(crate) fn abort(&self, fault: Fault) -> Result<(), Fault> {
        match self {
            Live::Joint(held) => held.abort(fault),
            Live::Round(held) => held.abort(fault),
        }
    }
}

enum Entry {
    Live(Live),
    /// Its offer was turned away, and its job waits for approval.
    Waiting(PartyId, JobId),
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

    pub(crate) fn insert(&self, live: Live) {
        self.lock().entries.insert(live.id(), Entry::Live(live));
    }

    /// The session of an id, for the party of the connection.
    ///
    /// # Errors
    /// `UNKNOWN_SESSION`; `WRONG_PARTY` for anybody but its initiator, citing `requirement`; `WRONG_STATE` after its
    /// end.
    pub(crate) fn find(&self, session: SessionId, peer: &PartyId, requirement: &'static str) -> Result<Live, Fault> {
        let inner = self.lock();
        let entry = inner.entries.get(&session).ok_or_else(|| Fault::new(Code::UnknownSession))?;
        let initiator = match entry {
            Entry::Live(held) => held.initiator(),
            Entry::Waiting(initiator, _) | Entry::Over(initiator) => initiator,
        };
        if initiator != peer {
            return Err(Fault::new(Code::WrongParty).by(peer).citing(requirement));
        }
        match entry {
            Entry::Live(held) => Ok(held.clone()),
            Entry::Waiting(..) | Entry::Over(_) => Err(wrong_state()),
        }
    }

    /// Remembers a session whose job waits for approval: its initiator may still abort it.
    pub(crate) fn wait(&self, session: SessionId, initiator: &PartyId, job: JobId) {
        self.lock().entries.insert(session, Entry::Waiting(initiator.clone(), job));
    }

    /// The job that waits under a session of the party of the connection.
    pub(crate) fn waiting(&self, session: SessionId, peer: &PartyId) -> Option<JobId> {
        match self.lock().entries.get(&session) {
            Some(Entry::Waiting(initiator, job)) if initiator == peer => Some(*job),
            _ => None,
        }
    }

    /// Keeps of an ended session only that it was there.
    pub(crate) fn end<P: Sitting>(&self, held: &Held<P>) {
        self.over(held.id, held.initiator());
    }

    /// The same, of any session.
    pub(crate) fn over(&self, session: SessionId, initiator: &PartyId) {
        let mut inner = self.lock();
        inner.entries.insert(session, Entry::Over(initiator.clone()));
        inner.ended.push_back(session);
        if inner.ended.len() > REMEMBERED
            && let Some(oldest) = inner.ended.pop_front()
        {
            inner.entries.remove(&oldest);
        }
    }
}
