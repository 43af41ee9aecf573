//! The services that the gateway asks.
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::address_service_client::AddressServiceClient;
use souk_proto::accounts::v1::api_key_service_client::ApiKeyServiceClient;
use souk_proto::accounts::v1::avatar_service_client::AvatarServiceClient;
use souk_proto::accounts::v1::block_service_client::BlockServiceClient;
use souk_proto::accounts::v1::credential_service_client::CredentialServiceClient;
use souk_proto::accounts::v1::data_request_service_client::DataRequestServiceClient;
use souk_proto::accounts::v1::device_service_client::DeviceServiceClient;
use souk_proto::accounts::v1::group_action_service_client::GroupActionServiceClient;
use souk_proto::accounts::v1::newsletter_service_client::NewsletterServiceClient;
use souk_proto::accounts::v1::registration_service_client::RegistrationServiceClient;
use souk_proto::accounts::v1::role_service_client::RoleServiceClient;
use souk_proto::accounts::v1::second_factor_service_client::SecondFactorServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::analytics::v1::report_service_client::ReportServiceClient;
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::stock_service_client::StockServiceClient;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::notifier::v1::letter_service_client::LetterServiceClient;
use souk_proto::notifier::v1::newsletter_service_client::NewsletterServiceClient as NewslettersClient;
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::orders::v1::cart_service_client::CartServiceClient;
use souk_proto::orders::v1::order_service_client::OrderServiceClient;
use souk_proto::orders::v1::payment_service_client::PaymentServiceClient;
use souk_proto::orders::v1::rules_service_client::RulesServiceClient;
use souk_rpc::Transport;
use souk_service::Frame;

/// A picture with what is around it.
const MAX_MESSAGE: usize = 6 * 1024 * 1024;

/// One client for each door.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) products: ProductServiceClient<Transport>,
    pub(crate) categories: CategoryServiceClient<Transport>,
    pub(crate) transfer: TransferServiceClient<Transport>,
    pub(crate) stock: StockServiceClient<Transport>,
    pub(crate) accounts: AccountServiceClient<Transport>,
    pub(crate) sessions: SessionServiceClient<Transport>,
    pub(crate) addresses: AddressServiceClient<Transport>,
    pub(crate) registrations: RegistrationServiceClient<Transport>,
    pub(crate) credentials: CredentialServiceClient<Transport>,
    pub(crate) data_requests: DataRequestServiceClient<Transport>,
    pub(crate) devices: DeviceServiceClient<Transport>,
    pub(crate) second_factors: SecondFactorServiceClient<Transport>,
    pub(crate) roles: RoleServiceClient<Transport>,
    pub(crate) api_keys: ApiKeyServiceClient<Transport>,
    pub(crate) blocks: BlockServiceClient<Transport>,
    pub(crate) group_actions: GroupActionServiceClient<Transport>,
    pub(crate) avatars: AvatarServiceClient<Transport>,
    /// Consent to it.
    pub(crate) newsletter: NewsletterServiceClient<Transport>,
    pub(crate) carts: CartServiceClient<Transport>,
    pub(crate) orders: OrderServiceClient<Transport>,
    pub(crate) payments: PaymentServiceClient<Transport>,
    pub(crate) rules: RulesServiceClient<Transport>,
    pub(crate) letters: LetterServiceClient<Transport>,
    pub(crate) newsletters: NewslettersClient<Transport>,
    pub(crate) reports: ReportServiceClient<Transport>,
    /// Of each service that keeps something, by its name.
    pub(crate) operations: Vec<(&'static str, OperationsServiceClient<Transport>)>,
}

impl Clients {
    pub(crate) fn new(frame: &Frame) -> anyhow::Result<Self> {
        let catalog = frame.transport("catalog")?;
        let accounts = frame.transport("accounts")?;
        let orders = frame.transport("orders")?;
        let notifier = frame.transport("notifier")?;
        let mut operations = Vec::new();
        for name in crate::ASKS {
            operations.push((*name, OperationsServiceClient::new(frame.transport(name)?)));
        }
        Ok(Self {
            products: ProductServiceClient::new(catalog.clone())
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
            categories: CategoryServiceClient::new(catalog.clone()),
            transfer: TransferServiceClient::new(catalog.clone()),
            stock: StockServiceClient::new(catalog),
            accounts: AccountServiceClient::new(accounts.clone()),
            sessions: SessionServiceClient::new(accounts.clone()),
            addresses: AddressServiceClient::new(accounts.clone()),
            registrations: RegistrationServiceClient::new(accounts.clone()),
            credentials: CredentialServiceClient::new(accounts.clone()),
            data_requests: DataRequestServiceClient::new(accounts.clone()),
            devices: DeviceServiceClient::new(accounts.clone()),
            second_factors: SecondFactorServiceClient::new(accounts.clone()),
            roles: RoleServiceClient::new(accounts.clone()),
            api_keys: ApiKeyServiceClient::new(accounts.clone()),
            blocks: BlockServiceClient::new(accounts.clone()),
            group_actions: GroupActionServiceClient::new(accounts.clone()),
            avatars: AvatarServiceClient::new(accounts.clone())
                .max_encoding_message_size(MAX_MESSAGE),
            newsletter: NewsletterServiceClient::new(accounts),
            carts: CartServiceClient::new(orders.clone()),
            orders: OrderServiceClient::new(orders.clone()),
            payments: PaymentServiceClient::new(orders.clone()),
            rules: RulesServiceClient::new(orders),
            letters: LetterServiceClient::new(notifier.clone()),
            newsletters: NewslettersClient::new(notifier),
            reports: ReportServiceClient::new(frame.transport("analytics")?),
            operations,
        })
    }
}
