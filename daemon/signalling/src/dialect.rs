//! The national and vendors' kinds of Q.931, as data: one engine speaks them all.

use call::Cause;

use crate::Carrier;

/// How the name of the caller crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameCarrier {
    /// In the display element, and only from the network. EN 300 403, §4.5.16.
    DisplayFromNetwork,
    /// In the display element behind an octet B1, both ways: North America.
    MarkedDisplay,
    /// In a facility element of networking extensions without a facility extension: NI-2.
    Facility,
    /// In a facility element with extension and interpretation. ECMA-164, §6; ISO/IEC 13868.
    NetworkFacility,
}

/// How maintenance messages are coded. The two message codes are swapped between the two discriminators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// Discriminator 03: SERVICE 0F, SERVICE ACKNOWLEDGE 07.
    Discriminator03,
    /// Discriminator 43: SERVICE 07, SERVICE ACKNOWLEDGE 0F.
    Discriminator43,
}

/// What differs between the kinds of Q.931, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// As configurations name it.
    pub name: &'static str,
    /// The line on which it is usually spoken.
    pub carrier: Carrier,
    /// Both ends follow the same rules at layer 3: a CONNECT is acknowledged, whoever sent it.
    pub symmetric: bool,
    /// SETUP says that the number is complete (element A1).
    pub sending_complete: bool,
    /// A user acknowledges the network's CONNECT; it need not. Q.931, §5.1.8.
    pub user_acknowledges_connect: bool,
    /// What a call is refused with that insists on a channel both sides have just taken: 34 by annex D,
    /// 44 by §5.1.2 and by what engines in the field understand as a collision.
    pub glare_cause: Cause,
    /// How the caller's name crosses.
    pub names: NameCarrier,
    /// Characters a name may have.
    pub name_octets_max: u8,
    /// How channels are taken out of service and put back; `None`: there is no such message.
    pub maintenance: Option<Maintenance>,
    /// T203.
    pub t203_millis: u32,
    /// T305.
    pub t305_millis: u32,
    /// T310 of a user.
    pub t310_user_millis: u32,
}

impl Dialect {
    /// EN 300 403 on an E1.
    pub const EURO_ISDN: Self = Self {
        name: "euroisdn",
        carrier: Carrier::E1,
        symmetric: false,
        sending_complete: true,
        user_acknowledges_connect: true,
        glare_cause: Cause::CHANNEL_NOT_AVAILABLE,
        names: NameCarrier::DisplayFromNetwork,
        name_octets_max: 80,
        maintenance: None,
        t203_millis: 10_000,
        t305_millis: 30_000,
        t310_user_millis: 60_000,
    };
    /// EN 300 403 on a T1.
    pub const EURO_ISDN_T1: Self =
        Self { name: "euroisdn_t1", carrier: Carrier::T1, ..Self::EURO_ISDN };
    /// Private networks. ECMA-143, ISO/IEC 11572.
    pub const QSIG: Self = Self {
        name: "qsig",
        symmetric: true,
        names: NameCarrier::NetworkFacility,
        name_octets_max: 50,
        t310_user_millis: 120_000,
        ..Self::EURO_ISDN
    };
    /// National ISDN 2.
    pub const NI2: Self = Self {
        name: "ni2",
        carrier: Carrier::T1,
        sending_complete: false,
        names: NameCarrier::Facility,
        name_octets_max: 15,
        maintenance: Some(Maintenance::Discriminator43),
        t203_millis: 30_000,
        t305_millis: 4000,
        t310_user_millis: 10_000,
        ..Self::EURO_ISDN
    };
    /// National ISDN 1.
    pub const NI1: Self = Self {
        name: "ni1",
        names: NameCarrier::MarkedDisplay,
        maintenance: Some(Maintenance::Discriminator03),
        ..Self::NI2
    };
    /// Nortel DMS-100.
    pub const DMS100: Self = Self { name: "dms100", ..Self::NI1 };
    /// AT&T 4ESS.
    pub const ESS4: Self = Self { name: "4ess", ..Self::NI1 };
    /// AT&T and Lucent 5ESS, custom.
    pub const ESS5: Self = Self { name: "5ess", ..Self::NI1 };

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::EURO_ISDN,
        Self::EURO_ISDN_T1,
        Self::QSIG,
        Self::NI2,
        Self::NI1,
        Self::DMS100,
        Self::ESS4,
        Self::ESS5,
    ];

    /// The dialect that configurations call `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name == name)
    }
    /// Whether there are maintenance messages, and with them the change status element. It must be taken as
    /// unknown elsewhere.
    pub const fn has_maintenance(&self) -> bool {
        self.maintenance.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_found_by_its_own_name_and_no_other() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::by_name(dialect.name), Some(dialect));
        }
        assert_eq!(Dialect::by_name("EuroISDN"), None);
    }

    /// Only North America has maintenance messages, and nobody there says that a number is complete.
    #[test]
    fn dialects_differ_where_the_standards_do() {
        for dialect in Dialect::ALL {
            let is_t1 = dialect.carrier == Carrier::T1;
            assert!(is_t1 || !dialect.has_maintenance(), "{}", dialect.name);
            assert!(!(dialect.has_maintenance() && dialect.sending_complete), "{}", dialect.name);
        }
        let alike = Dialect::ALL.into_iter().filter(|dialect| dialect.symmetric);
        assert_eq!(alike.map(|dialect| dialect.name).collect::<Vec<_>>(), ["qsig"]);
        let swapped = (Dialect::NI2.maintenance, Dialect::NI1.maintenance);
        let expected = (Maintenance::Discriminator43, Maintenance::Discriminator03);
        assert_eq!(swapped, (Some(expected.0), Some(expected.1)));
    }
}
