//! The letters that accounts ask for.

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RegistrationCode,
    Welcome,
    /// Somebody tried to register the address of the reader.
    AddressInUse,
    PasswordReset,
    PasswordChanged,
    /// To the new address.
    EmailChangeCode,
    /// To the old address: somebody asked for a new one.
    EmailChangeNotice,
    /// To the old address: it counts no more.
    EmailChanged,
    NewDevice,
    SessionEnded,
    Blocked,
    Unblocked,
    SecondFactorChanged,
    NewsletterConfirm,
    /// The file with everything is there.
    ExportReady,
    /// Everything will be erased.
    ErasureRequested,
    ErasureCancelled,
    /// The last one: it ends the list of all.
    Test,
}

/// What makes a letter secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    None,
    /// To be typed.
    Code,
    /// To be followed: the path below the shop's public address.
    Link(&'static str),
}

impl Kind {
    pub(crate) const ALL: [Self; Self::Test as usize + 1] = [
        Self::RegistrationCode,
        Self::Welcome,
        Self::AddressInUse,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::EmailChangeCode,
        Self::EmailChangeNotice,
        Self::EmailChanged,
        Self::NewDevice,
        Self::SessionEnded,
        Self::Blocked,
        Self::Unblocked,
        Self::SecondFactorChanged,
        Self::NewsletterConfirm,
        Self::ExportReady,
        Self::ErasureRequested,
        Self::ErasureCancelled,
        Self::Test,
    ];

    /// The word of `souk.accounts.v1.Mail`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationCode => "registration_code",
            Self::Welcome => "welcome",
            Self::AddressInUse => "address_in_use",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChangeCode => "email_change_code",
            Self::EmailChangeNotice => "email_change_notice",
            Self::EmailChanged => "email_changed",
            Self::NewDevice => "new_device",
            Self::SessionEnded => "session_ended",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::NewsletterConfirm => "newsletter_confirm",
            Self::ExportReady => "export_ready",
            Self::ErasureRequested => "erasure_requested",
            Self::ErasureCancelled => "erasure_cancelled",
            Self::Test => "test",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub(crate) fn secret(self) -> Secret {
        match self {
            Self::RegistrationCode | Self::EmailChangeCode => Secret::Code,
            Self::PasswordReset => Secret::Link("/account/reset"),
            Self::NewsletterConfirm => Secret::Link("/newsletter/confirm"),
            _ => Secret::None,
        }
    }
}

/// The word of every letter that accounts ask for, and what makes it secret: `code`, `link` or
/// nothing. Notifier has the same list; whoever links both holds one against the other.
pub fn letters() -> Vec<(&'static str, &'static str)> {
    let secret = |kind: Kind| match kind.secret() {
        Secret::None => "",
        Secret::Code => "code",
        Secret::Link(_) => "link",
    };
    Kind::ALL.into_iter().map(|kind| (kind.as_str(), secret(kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_its_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("Welcome"), None);
    }
}
