//! Taking channels out of service and back: SERVICE and SERVICE ACKNOWLEDGE of North America.
//!
//! Two codings with the message codes swapped between them; a message is answered in the coding in which it
//! came.

use tdm::{TIMESLOTS, Timeslot};

use super::channels::ChannelId;
use super::element::{Elements, code};
use super::engine::{Engine, EngineOutput};
use crate::{Event, Maintenance, ServiceStatus, Timeslots};

/// Contents of change status (element 01): preference "channel", then the status.
const PREFERENCE_CHANNEL: u8 = 0xC0;

impl Maintenance {
    /// The coding of a message with this discriminator.
    pub const fn of(discriminator: u8) -> Option<Self> {
        match discriminator {
            0x03 => Some(Self::Discriminator03),
            0x43 => Some(Self::Discriminator43),
            _ => None,
        }
    }
    const fn discriminator(self) -> u8 {
        match self {
            Self::Discriminator03 => 0x03,
            Self::Discriminator43 => 0x43,
        }
    }
    /// The codes of SERVICE and SERVICE ACKNOWLEDGE.
    const fn codes(self) -> (u8, u8) {
        match self {
            Self::Discriminator03 => (0x0F, 0x07),
            Self::Discriminator43 => (0x07, 0x0F),
        }
    }
}

impl ServiceStatus {
    const fn bits(self) -> u8 {
        match self {
            Self::InService => 0,
            Self::Maintenance => 1,
            Self::OutOfService => 2,
        }
    }
    const fn of(octet: u8) -> Option<Self> {
        match octet & 7 {
            0 => Some(Self::InService),
            1 => Some(Self::Maintenance),
            2 => Some(Self::OutOfService),
            _ => None,
        }
    }
}

impl Engine {
    /// SERVICE, in the dialect's own coding.
    pub(super) fn order_service(&mut self, channels: Timeslots, status: ServiceStatus) {
        if status == ServiceStatus::InService {
            // Whatever the far end said before: we want it again, and it may refuse.
            let still_out = self.out_of_service.bits() & !channels.bits();
            self.out_of_service = Timeslots::from_bits(still_out);
        }
        if self.settings.dialect.maintenance.is_none() {
            return;
        }
        for timeslot in channels.iter() {
            if let Some(asked) = self.service_asked.get_mut(timeslot.index()) {
                *asked = Some(status);
            }
        }
        // Without a link it is said as soon as there is one.
        if self.link_up {
            self.send_service(channels, status);
        }
    }
    /// The link was down: what the far end has not acknowledged it may not know. That a channel is closed the call
    /// server says by itself when a link comes up.
    pub(super) fn service_again(&mut self) {
        let wanted = (0..TIMESLOTS).filter_map(Timeslot::new).filter(|timeslot| {
            self.service_asked.get(timeslot.index()) == Some(&Some(ServiceStatus::InService))
        });
        self.send_service(wanted.collect(), ServiceStatus::InService);
    }
    fn send_service(&mut self, channels: Timeslots, status: ServiceStatus) {
        let Some(coding) = self.settings.dialect.maintenance else { return };
        for timeslot in channels.iter() {
            let id = ChannelId::contents(self.settings.numbers.number(timeslot), true);
            let (service, _) = coding.codes();
            self.send_maintenance(coding, service, false, PREFERENCE_CHANNEL | status.bits(), &id);
        }
    }
    fn send_maintenance(
        &mut self,
        coding: Maintenance,
        message: u8,
        to_originator: bool,
        change: u8,
        channel: &[u8],
    ) {
        let flag = u8::from(to_originator) << 7;
        let mut octets = vec![coding.discriminator(), 2, flag, 0, message, code::CHANGE_STATUS, 1];
        octets.push(change);
        octets.extend([code::CHANNEL_IDENTIFICATION, channel.len() as u8]);
        octets.extend(channel);
        self.outputs.push_back(EngineOutput::Send(octets));
    }

    /// A message with a maintenance discriminator. Where the dialect has none it is ignored as any other
    /// protocol. Q.931, §5.8.1.
    pub(super) fn maintenance(&mut self, coding: Maintenance, message: &[u8]) {
        let [_, 2, flag, 0, which, elements @ ..] = message else {
            self.counters.malformed += 1;
            return;
        };
        let to_us = flag & 0x80 != 0;
        let (service, acknowledge) = coding.codes();
        let (mut change, mut channel) = (None, &[][..]);
        for element in Elements::of(elements).filter(|element| element.codeset == 0) {
            match element.code {
                code::CHANGE_STATUS => change = change.or(element.contents.first().copied()),
                code::CHANNEL_IDENTIFICATION if channel.is_empty() => channel = element.contents,
                _ => {}
            }
        }
        let named = ChannelId::parse(channel)
            .map(|id| self.settings.numbers.timeslots(id.slots))
            .unwrap_or_default();
        let named = Timeslots::from_bits(named.bits() & self.settings.channels.bits());
        let status = change.and_then(ServiceStatus::of);
        if *which == service && !to_us {
            let Some((change, status)) = change.zip(status).filter(|_| !named.is_empty()) else {
                self.counters.bad_element += 1;
                return;
            };
            self.counters.services += 1;
            self.send_maintenance(coding, acknowledge, true, change, channel);
            self.change_service(named, status);
        } else if *which == acknowledge && to_us {
            // Some answer with a status nobody defined (FF): then it is what we asked for.
            let status = status.filter(|_| change.is_some_and(|change| change & 0xF8 == 0xC0));
            for timeslot in named.iter() {
                let asked = self.service_asked.get_mut(timeslot.index()).and_then(Option::take);
                // Its last word, whatever it said before ours reached it.
                if let Some(status) = status.or(asked) {
                    self.change_service(Timeslots::NONE.with(timeslot, true), status);
                }
            }
        } else {
            self.counters.unexpected += 1;
        }
    }
    /// The far end uses channels it had taken out of service: by a RESTART or a call of its own it put them back.
    pub(super) fn back_in_service(&mut self, channels: Timeslots) {
        let back = Timeslots::from_bits(self.out_of_service.bits() & channels.bits());
        self.change_service(back, ServiceStatus::InService);
    }
    /// The far end's word on its channels. A call that is there ends by itself.
    fn change_service(&mut self, named: Timeslots, status: ServiceStatus) {
        for timeslot in named.iter() {
            let is_out = status != ServiceStatus::InService;
            self.out_of_service = self.out_of_service.with(timeslot, is_out);
            self.tell(Event::Service { timeslot, status });
        }
    }
}
