//! What can go wrong on a link, by the letters operators know. Q.921, appendix II.

/// A protocol error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fault {
    /// A: a supervisory response with F = 1 that nobody asked for.
    UnexpectedFinal,
    /// B: DM with F = 1 on an established link.
    UnexpectedDmFinal,
    /// C: UA with F = 1 that nobody asked for.
    UnexpectedUaFinal,
    /// D: UA with F = 0.
    UnexpectedUa,
    /// E: DM with F = 0 on an established link.
    UnexpectedDm,
    /// F: the peer established an established link.
    PeerReestablished,
    /// G: SABME was repeated N200 times in vain.
    EstablishUnanswered,
    /// H: DISC was repeated N200 times in vain.
    ReleaseUnanswered,
    /// I: polls were repeated N200 times in vain.
    PollUnanswered,
    /// J: N(R) acknowledges what was never sent.
    WrongReceiveNumber,
    /// K: FRMR received.
    FrameReject,
    /// L: a control field nobody defined.
    UndefinedControl,
    /// M: information where none belongs.
    UnexpectedInformation,
    /// N: a frame of the wrong length.
    WrongLength,
    /// O: more information than N201.
    InformationTooLong,
    /// Not of Q.921: a frame of the wrong direction. Both ends think they are the same side.
    SameSide,
    /// Not of Q.921: an address that is not SAPI 0, TEI 0.
    OtherAddress,
    /// No letter: too short to be a frame. Thrown away. Q.921, §2.9.
    TooShort,
    /// Not of Q.921: the queue of messages was full.
    QueueFull,
}

impl Fault {
    const COUNT: usize = Self::QueueFull as usize + 1;
    /// All of them, in their order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::UnexpectedFinal,
        Self::UnexpectedDmFinal,
        Self::UnexpectedUaFinal,
        Self::UnexpectedUa,
        Self::UnexpectedDm,
        Self::PeerReestablished,
        Self::EstablishUnanswered,
        Self::ReleaseUnanswered,
        Self::PollUnanswered,
        Self::WrongReceiveNumber,
        Self::FrameReject,
        Self::UndefinedControl,
        Self::UnexpectedInformation,
        Self::WrongLength,
        Self::InformationTooLong,
        Self::SameSide,
        Self::OtherAddress,
        Self::TooShort,
        Self::QueueFull,
    ];
    /// As counters and logs name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnexpectedFinal => "a_unexpected_final",
            Self::UnexpectedDmFinal => "b_unexpected_dm_final",
            Self::UnexpectedUaFinal => "c_unexpected_ua_final",
            Self::UnexpectedUa => "d_unexpected_ua",
            Self::UnexpectedDm => "e_unexpected_dm",
            Self::PeerReestablished => "f_peer_reestablished",
            Self::EstablishUnanswered => "g_establish_unanswered",
            Self::ReleaseUnanswered => "h_release_unanswered",
            Self::PollUnanswered => "i_poll_unanswered",
            Self::WrongReceiveNumber => "j_wrong_receive_number",
            Self::FrameReject => "k_frame_reject",
            Self::UndefinedControl => "l_undefined_control",
            Self::UnexpectedInformation => "m_unexpected_information",
            Self::WrongLength => "n_wrong_length",
            Self::InformationTooLong => "o_information_too_long",
            Self::SameSide => "same_side",
            Self::OtherAddress => "other_address",
            Self::TooShort => "too_short",
            Self::QueueFull => "queue_full",
        }
    }

    /// The letter of Q.921, appendix II; `-` for our own.
    pub const fn letter(self) -> char {
        match self {
            Self::SameSide | Self::OtherAddress | Self::TooShort | Self::QueueFull => '-',
            lettered => (b'A' + lettered as u8) as char,
        }
    }
}

/// How often each [`Fault`] was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; Fault::COUNT]);

impl Faults {
    /// Once more.
    pub fn count(&mut self, fault: Fault) {
        if let Some(n) = self.0.get_mut(fault as usize) {
            *n += 1;
        }
    }
    /// How often so far.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0.get(fault as usize).copied().unwrap_or_default()
    }
    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
