-- name: begin(change)$
-- What the transaction does from now on is `change`: see keep_changed_contacts.
SELECT set_config('bulklane.change', :change, true);
