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
    StatsRead,
    /// See jobs, dead letters, events.
    OperationsRead,
    /// Cancel jobs; replay and drop dead letters.
    OperationsWrite,
    /// See stock and its movements.
    StockRead,
    /// Receive, adjust and count stock.
    StockWrite,
    /// See everybody's orders.
    OrdersRead,
    /// Ship, deliver, cancel and refund orders.
    OrdersWrite,
    /// See shipping methods, tax rates and coupons.
    ShopRead,
    /// Change shipping methods, tax rates and coupons.
    ShopWrite,
}

impl Permission {
    pub const ALL: [Self; 14] = [
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
    ];

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
