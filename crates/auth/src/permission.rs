//! What a role may allow. Roles are data (sets of these); the words are fixed here.
use std::fmt;
use std::str::FromStr;

/// One thing that somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Create, change, hide and restore products and categories; see hidden ones; import and
    /// export.
    ProductsWrite,
    UsersRead,
    UsersWrite,
    /// Read the mail ledger and letters.
    NotificationsRead,
    /// Get letters about product changes.
    NoticesReceive,
    /// Read what is seen and wanted of products; no figures of money.
    StatsRead,
    /// See jobs, dead letters, events.
    OperationsRead,
    /// Cancel jobs; replay and drop dead letters.
    OperationsWrite,
    /// See stock and its movements.
    StockRead,
    /// Receive, adjust and count stock.
    StockWrite,
    /// See everybody's orders, and what they come to.
    OrdersRead,
    /// Ship, deliver, cancel and refund orders.
    OrdersWrite,
    /// See shipping methods, tax rates and coupons.
    ShopRead,
    /// Change shipping methods, tax rates and coupons.
    ShopWrite,
    /// Read the security log and the audit of every service.
    AuditRead,
    /// Change roles and the permissions they hold.
    RolesWrite,
}

impl Permission {
    pub const ALL: [Self; 16] = [
        Self::ProductsWrite,
        Self::UsersRead,
        Self::UsersWrite,
        Self::NotificationsRead,
        Self::NoticesReceive,
        Self::StatsRead,
        Self::OperationsRead,
        Self::OperationsWrite,
        Self::StockRead,
        Self::StockWrite,
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::ShopRead,
        Self::ShopWrite,
        Self::AuditRead,
        Self::RolesWrite,
    ];

    /// What it allows, in a sentence for admins.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ProductsWrite => {
                "create, change, hide and restore products and categories; import and export"
            }
            Self::UsersRead => "see accounts, roles and blocks",
            Self::UsersWrite => "create and change accounts, block and unblock, run group actions",
            Self::NotificationsRead => "read the mail ledger and letters",
            Self::NoticesReceive => "get letters about product changes",
            Self::StatsRead => "read statistics of products, without money",
            Self::OperationsRead => "see jobs, dead letters and events",
            Self::OperationsWrite => "cancel jobs, replay and drop dead letters",
            Self::StockRead => "see stock and its movements",
            Self::StockWrite => "receive, adjust and count stock",
            Self::OrdersRead => "see everybody's orders and what they come to",
            Self::OrdersWrite => "ship, deliver, cancel and refund orders",
            Self::ShopRead => "see shipping methods, tax rates and coupons",
            Self::ShopWrite => "change shipping methods, tax rates and coupons",
            Self::AuditRead => "read the security log and the audit of every service",
            Self::RolesWrite => "change roles and the permissions they hold",
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProductsWrite => "products.write",
            Self::UsersRead => "users.read",
            Self::UsersWrite => "users.write",
            Self::NotificationsRead => "notifications.read",
            Self::NoticesReceive => "notices.receive",
            Self::StatsRead => "stats.read",
            Self::OperationsRead => "operations.read",
            Self::OperationsWrite => "operations.write",
            Self::StockRead => "stock.read",
            Self::StockWrite => "stock.write",
            Self::OrdersRead => "orders.read",
            Self::OrdersWrite => "orders.write",
            Self::ShopRead => "shop.read",
            Self::ShopWrite => "shop.write",
            Self::AuditRead => "audit.read",
            Self::RolesWrite => "roles.write",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|p| p.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_reads_back_and_nothing_else_does() {
        for permission in Permission::ALL {
            assert_eq!(permission.to_string().parse(), Ok(permission));
        }
        for bad in ["", "products", "PRODUCTS.WRITE", "products.write ", "*"] {
            assert_eq!(bad.parse::<Permission>(), Err(()), "{bad}");
        }
    }
}
