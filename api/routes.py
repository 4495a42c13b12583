"""The tables of all routes: those of the API, of the operator's API, and those of the pages.

The router, the OpenAPI document and the tests of authentication use them.
"""

from api.handlers import (
    audiences,
    bulk,
    channels,
    contact_lists,
    contacts,
    events,
    health,
    jobs,
    labels,
    memberships,
    properties,
    reference,
    teams,
    uploads,
)
from api.handlers.account import accounts, keys
from api.handlers.operator import accounts as all_accounts
from api.handlers.operator import health as operator_health
from api.handlers.operator import jobs as all_jobs
from api.handlers.operator import keys as all_keys
from api.handlers.operator import metrics
from api.handlers.partners import kirim, oliai, peach, whippy
from api.handlers.webhooks import deliveries, endpoints
from api.pages import account_limits as limit_pages
from api.pages import contacts as contact_pages
from api.pages import file_upload, job, matching_jobs_form, owners, resources, sign_in, webhook_deliveries
from api.pages import jobs as jobs_pages
from api.pages import webhooks as webhook_pages
from api.pages.operator import accounts as accounts_pages
from api.pages.operator import jobs as all_jobs_pages
from api.pages.operator import overview
from api.route import Route
from schemas.callers import Scope

WRITE, ADMIN = Scope.WRITE, Scope.ADMIN

# A key needs the scope `read` for a GET and `write` for any other method, unless the route names its scope.
ROUTES = (
    Route("POST", "/v1/bulk/{operation}", bulk.submit, bulk=True),
    Route("OPTIONS", "/v1/bulk/{operation}", uploads.show_limits, public=True),
    Route("POST", "/v1/uploads", uploads.start_upload, bulk=True),
    Route("OPTIONS", "/v1/uploads", uploads.show_limits, public=True),
    Route("GET", "/v1/uploads", uploads.list_uploads),
    # it takes the upload over, and who sends one needs it after a cut
    Route("GET", "/v1/uploads/{upload_id}", uploads.get_upload, scope=WRITE),
    Route("PATCH", "/v1/uploads/{upload_id}", uploads.append, uncounted=True),
    Route("DELETE", "/v1/uploads/{upload_id}", uploads.delete_upload),
    Route(
        "POST",
        "/api/v1/contacts/bulk_update_communication_preferences",
        peach.submit,
        bulk=True,
    ),
    Route("PUT", "/v1/contacts/lists/{list_id}/contacts", whippy.submit, bulk=True),
    Route("POST", "/v1/contacts/lists/{list_id}/contacts", whippy.submit, bulk=True),
    Route("POST", "/v1/{phone_number_id}/contacts/bulk_label", kirim.submit, bulk=True),
    Route("POST", "/v1/contacts/bulk", oliai.create, bulk=True),
    Route("POST", "/v1/contacts/bulk-delete", oliai.delete, bulk=True),
    Route("POST", "/v1/contacts/add-to-audience", oliai.add_to_audience, bulk=True),
    Route("GET", "/v1/contacts", contacts.list_contacts),
    Route("POST", "/v1/contacts", contacts.create_contact),
    Route("GET", "/v1/contacts/{contact_id}", contacts.get_contact),
    Route("PATCH", "/v1/contacts/{contact_id}", contacts.change_contact),
    Route("DELETE", "/v1/contacts/{contact_id}", contacts.delete_contact),
    Route("GET", "/v1/contacts/{contact_id}/history", contacts.history_of),
    Route("GET", "/v1/contacts/{contact_id}/labels", memberships.labels_of),
    Route("GET", "/v1/contacts/{contact_id}/lists", memberships.lists_of),
    Route("GET", "/v1/contacts/{contact_id}/audiences", memberships.audiences_of),
    Route("GET", "/v1/contacts/{contact_id}/opt-ins", memberships.opt_ins_of),
    Route("PUT", "/v1/contacts/{contact_id}/opt-ins/{channel_id}", memberships.put_opt_in),
    Route("GET", "/v1/contact-lists/{list_id}/members", memberships.list_members),
    Route("GET", "/v1/labels/{label_id}/members", memberships.label_members),
    Route("GET", "/v1/audiences/{audience_id}/members", memberships.audience_members),
    Route("GET", "/v1/jobs", jobs.list_jobs),
    Route("GET", "/v1/jobs/counts", jobs.count_jobs),
    Route("POST", "/v1/jobs/cancel", jobs.cancel_jobs),
    Route("POST", "/v1/jobs/retry", jobs.retry_jobs, bulk=True),
    Route("GET", "/v1/jobs/{job_id}", jobs.get_job),
    Route("GET", "/v1/jobs/{job_id}/events", events.job_events),
    Route("GET", "/v1/events", events.account_events),
    Route("GET", "/v1/jobs/{job_id}/errors", jobs.list_errors),
    Route("GET", "/v1/jobs/{job_id}/results", jobs.list_results),
    Route("GET", "/v1/jobs/{job_id}/audit", jobs.list_audit),
    Route("POST", "/v1/jobs/{job_id}/cancel", jobs.cancel_job),
    Route("POST", "/v1/jobs/{job_id}/retry", jobs.retry_job, bulk=True),
    Route("POST", "/v1/jobs/{job_id}/undo", jobs.undo_job, bulk=True),
    Route("GET", "/v1/accounts", accounts.list_accounts, any_scope=True),  # whose key it is
    Route("GET", "/v1/limits", accounts.get_limits),
    Route("POST", "/v1/contact-lists", contact_lists.create_list),
    Route("GET", "/v1/contact-lists", contact_lists.list_lists),
    Route("GET", "/v1/contact-lists/{list_id}", contact_lists.get_list),
    Route("PATCH", "/v1/contact-lists/{list_id}", contact_lists.rename_list),
    Route("POST", "/v1/contact-lists/{list_id}/archive", contact_lists.archive_list),
    Route("POST", "/v1/contact-lists/{list_id}/unarchive", contact_lists.unarchive_list),
    Route("POST", "/v1/labels", labels.create_label),
    Route("GET", "/v1/labels", labels.list_labels),
    Route("GET", "/v1/labels/{label_id}", labels.get_label),
    Route("PATCH", "/v1/labels/{label_id}", labels.change_label),
    Route("DELETE", "/v1/labels/{label_id}", labels.delete_label, scope=ADMIN),
    Route("POST", "/v1/teams", teams.create_team),
    Route("GET", "/v1/teams", teams.list_teams),
    Route("GET", "/v1/teams/{team_id}", teams.get_team),
    Route("PATCH", "/v1/teams/{team_id}", teams.rename_team),
    Route("DELETE", "/v1/teams/{team_id}", teams.delete_team, scope=ADMIN),
    Route("POST", "/v1/channels", channels.create_channel),
    Route("GET", "/v1/channels", channels.list_channels),
    Route("GET", "/v1/channels/{channel_id}", channels.get_channel),
    Route("PATCH", "/v1/channels/{channel_id}", channels.change_channel),
    Route("DELETE", "/v1/channels/{channel_id}", channels.delete_channel, scope=ADMIN),
    Route("POST", "/v1/audiences", audiences.create_audience),
    Route("GET", "/v1/audiences", audiences.list_audiences),
    Route("GET", "/v1/audiences/{audience_id}", audiences.get_audience),
    Route("PATCH", "/v1/audiences/{audience_id}", audiences.rename_audience),
    Route("DELETE", "/v1/audiences/{audience_id}", audiences.delete_audience, scope=ADMIN),
    Route("POST", "/v1/properties", properties.create_property),
    Route("GET", "/v1/properties", properties.list_properties),
    Route("GET", "/v1/properties/{name}", properties.get_property),
    Route("PATCH", "/v1/properties/{name}", properties.change_property),
    Route("DELETE", "/v1/properties/{name}", properties.delete_property, scope=ADMIN),
    Route("GET", "/v1/keys", keys.list_keys, scope=ADMIN),
    Route("POST", "/v1/keys", keys.create_key, scope=ADMIN),
    Route("DELETE", "/v1/keys/{key}", keys.revoke_key, scope=ADMIN),
    Route("POST", "/v1/keys/{key}/rotate", keys.rotate_key, scope=ADMIN),
    Route("POST", "/v1/webhooks", endpoints.create_webhook, scope=ADMIN),
    Route("GET", "/v1/webhooks", endpoints.list_webhooks, scope=ADMIN),
    Route("PUT", "/v1/webhooks/{webhook_id}", endpoints.put_webhook, scope=ADMIN),
    Route("GET", "/v1/webhooks/{webhook_id}", endpoints.get_webhook, scope=ADMIN),
    Route("PATCH", "/v1/webhooks/{webhook_id}", endpoints.change_webhook, scope=ADMIN),
    Route("DELETE", "/v1/webhooks/{webhook_id}", endpoints.delete_webhook, scope=ADMIN),
    Route("GET", "/v1/webhooks/{webhook_id}/secret", endpoints.get_secret, scope=ADMIN),
    Route("POST", "/v1/webhooks/{webhook_id}/secret/rotate", endpoints.rotate_secret, scope=ADMIN),
    Route("POST", "/v1/webhooks/{webhook_id}/test", deliveries.test_webhook, scope=ADMIN),
    Route("POST", "/v1/webhooks/{webhook_id}/replay", deliveries.replay_failed, scope=ADMIN),
    Route("GET", "/v1/webhooks/{webhook_id}/deliveries", deliveries.list_deliveries, scope=ADMIN),
    Route("GET", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", deliveries.get_delivery, scope=ADMIN),
    Route(
        "POST",
        "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
        deliveries.replay_delivery,
        scope=ADMIN,
    ),
    Route("GET", "/openapi.json", reference.openapi, public=True),
    Route("GET", "/llms.txt", reference.llms, public=True),
    Route("GET", "/docs", reference.docs, public=True),
    Route("GET", "/docs/", reference.docs_with_slash, public=True),
    Route("GET", "/docs/{asset}", reference.docs_asset, public=True),
    Route("GET", "/healthz", health.healthz, public=True),
    Route("GET", "/readyz", health.readyz, public=True),
)

# Pages accept the cookie of a session only. They are not part of the OpenAPI document.
PAGE_ROUTES = (
    Route("GET", "/", jobs_pages.list_jobs),
    Route("GET", "/jobs/cancel", matching_jobs_form.ask_to_cancel, scope=WRITE),
    Route("POST", "/jobs/cancel", matching_jobs_form.cancel_matching),
    Route("GET", "/jobs/retry", matching_jobs_form.ask_to_retry, scope=WRITE),
    Route("POST", "/jobs/retry", matching_jobs_form.retry_matching, bulk=True),
    Route("GET", "/jobs/{job_id}", job.show_job),
    Route("POST", "/jobs/{job_id}/cancel", job.cancel_job),
    Route("POST", "/jobs/{job_id}/retry", job.retry_job, bulk=True),
    Route("POST", "/jobs/{job_id}/undo", job.undo_job, bulk=True),
    Route("GET", "/upload", file_upload.show_upload, scope=WRITE),
    Route("POST", "/upload/preview", file_upload.preview_upload),
    Route("GET", "/contacts", contact_pages.list_contacts),
    Route("GET", "/contacts/{contact_id}", contact_pages.show_contact),
    Route("GET", "/lists", resources.list_lists),
    Route("POST", "/lists", resources.create_list),
    Route("GET", "/lists/{list_id}", owners.show_list),
    Route("POST", "/lists/{list_id}", owners.change_list),
    Route("POST", "/lists/{list_id}/archive", owners.archive_list),
    Route("POST", "/lists/{list_id}/unarchive", owners.unarchive_list),
    Route("GET", "/labels", resources.list_labels),
    Route("POST", "/labels", resources.create_label),
    Route("GET", "/labels/{label_id}", owners.show_label),
    Route("POST", "/labels/{label_id}", owners.change_label),
    Route("GET", "/audiences", resources.list_audiences),
    Route("POST", "/audiences", resources.create_audience),
    Route("GET", "/audiences/{audience_id}", owners.show_audience),
    Route("POST", "/audiences/{audience_id}", owners.change_audience),
    Route("GET", "/channels", resources.list_channels),
    Route("POST", "/channels", resources.create_channel),
    Route("GET", "/properties", resources.list_properties),
    Route("POST", "/properties", resources.create_property),
    Route("GET", "/teams", resources.list_teams),
    Route("POST", "/teams", resources.create_team),
    Route("GET", "/webhooks", webhook_pages.list_webhooks, scope=ADMIN),
    Route("POST", "/webhooks", webhook_pages.create_webhook, scope=ADMIN),
    Route("GET", "/webhooks/{webhook_id}", webhook_pages.show_webhook, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}", webhook_pages.change_webhook, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}/state", webhook_pages.switch_webhook, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}/delete", webhook_pages.delete_webhook, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}/secret", webhook_pages.show_secret, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}/secret/rotate", webhook_pages.rotate_secret, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}/test", webhook_deliveries.send_test, scope=ADMIN),
    Route("POST", "/webhooks/{webhook_id}/replay", webhook_deliveries.replay_failed, scope=ADMIN),
    Route(
        "GET",
        "/webhooks/{webhook_id}/deliveries/{delivery_id}",
        webhook_deliveries.show_delivery,
        scope=ADMIN,
    ),
    Route(
        "POST",
        "/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
        webhook_deliveries.replay_delivery,
        scope=ADMIN,
    ),
    Route("GET", "/limits", limit_pages.show_limits),
    Route("GET", "/sign-in", sign_in.show_sign_in, public=True),
    Route("POST", "/sign-in", sign_in.sign_in, public=True),
    Route("POST", "/sign-out", sign_in.sign_out, any_scope=True),
    Route("GET", "/assets/{asset}", sign_in.asset, public=True),
)

# With the key of the operator. Without OPERATOR_KEY, there is nothing at these paths.
OPERATOR_ROUTES = tuple(
    Route(method, path, handler, operator=True)
    for method, path, handler in (
        ("GET", "/operator/v1/accounts", all_accounts.list_all_accounts),
        ("POST", "/operator/v1/accounts", all_accounts.create_account),
        ("GET", "/operator/v1/accounts/{account}", all_accounts.get_account),
        ("PATCH", "/operator/v1/accounts/{account}", all_accounts.change_account),
        ("DELETE", "/operator/v1/accounts/{account}", all_accounts.delete_account),
        ("GET", "/operator/v1/accounts/{account}/keys", all_keys.list_keys),
        ("POST", "/operator/v1/accounts/{account}/keys", all_keys.create_key),
        ("POST", "/operator/v1/accounts/{account}/keys/{key}/rotate", all_keys.rotate_key),
        ("POST", "/operator/v1/accounts/{account}/keys/{key}/revoke", all_keys.revoke_key),
        ("GET", "/operator/v1/jobs", all_jobs.list_all_jobs),
        ("GET", "/operator/v1/jobs/{job_id}", all_jobs.get_any_job),
        ("GET", "/operator/v1/jobs/{job_id}/audit", all_jobs.list_any_audit),
        ("POST", "/operator/v1/jobs/{job_id}/cancel", all_jobs.cancel_any_job),
        ("GET", "/metrics", metrics.show_metrics),
        ("GET", "/operator/v1/metrics-targets", metrics.list_metrics_targets),
        ("GET", "/operator/v1/workers", operator_health.list_workers),
        ("GET", "/operator/v1/queue", operator_health.get_queue),
        ("GET", "/operator/v1/health", operator_health.get_health),
        ("GET", "/operator/v1/slow", operator_health.get_slow),
    )
)

# As the pages, with the session of the operator.
OPERATOR_PAGE_ROUTES = (
    Route("GET", "/operator", overview.overview, operator=True),
    Route("GET", "/operator/sign-in", sign_in.show_operator_sign_in, public=True),
    Route("POST", "/operator/sign-in", sign_in.operator_sign_in, public=True),
    Route("POST", "/operator/sign-out", sign_in.operator_sign_out, operator=True),
    Route("GET", "/operator/accounts", accounts_pages.list_accounts, operator=True),
    Route("POST", "/operator/accounts", accounts_pages.create_account, operator=True),
    Route("GET", "/operator/accounts/{account}", accounts_pages.show_account, operator=True),
    Route("POST", "/operator/accounts/{account}", accounts_pages.change_account, operator=True),
    Route("POST", "/operator/accounts/{account}/delete", accounts_pages.delete_account, operator=True),
    Route("POST", "/operator/accounts/{account}/keys", accounts_pages.create_key, operator=True),
    Route("POST", "/operator/accounts/{account}/keys/{key}/rotate", accounts_pages.rotate_key, operator=True),
    Route("POST", "/operator/accounts/{account}/keys/{key}/revoke", accounts_pages.revoke_key, operator=True),
    Route("GET", "/operator/jobs", all_jobs_pages.list_all_jobs, operator=True),
    Route("GET", "/operator/jobs/{job_id}", all_jobs_pages.show_any_job, operator=True),
    Route("POST", "/operator/jobs/{job_id}/cancel", all_jobs_pages.cancel_any_job, operator=True),
)
