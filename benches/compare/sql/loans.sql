-- Microloans on PostgreSQL: a row for each loan, a day-end that touches those that are due and those that are late,
-- found by indexes. It does less than Fen's: no stages, no provisions, no penalty, no closing balances.

create table loan (
    id uuid primary key,
    account uuid not null,
    outstanding bigint not null,
    part bigint not null,
    -- Ten-thousandths a day.
    daily_rate smallint not null,
    billed_through date not null,
    next_due date not null,
    past_due_principal bigint not null default 0,
    past_due_interest bigint not null default 0,
    past_due_since date,
    class smallint not null default 0
) with (fillfactor = 70);
create index on loan (next_due);
create index on loan (past_due_since) where past_due_since is not null;

-- The bank's own: 1 principal lent, 2 interest receivable, 3 interest earned.
create function control(number integer) returns uuid
language sql immutable as $$
    select ('ffffffff-ffff-ffff-0000-00000000000' || number::text)::uuid
$$;

-- Closes a day: bills what falls due, collects it where the money is there, calls the rest late, classes what is late.
-- Answers how many loans it changed.
create function day_end(today date) returns bigint
language plpgsql as $$
declare
    changed bigint;
    classed bigint;
begin
    create temporary table due on commit drop as
    select loan.id, loan.account, least(loan.part, loan.outstanding) as principal,
        round(loan.outstanding::numeric * loan.daily_rate * (today - loan.billed_through) / 10000)::bigint as interest,
        false as paid
    from loan where loan.next_due = today;
    update due set paid = true
    from account
    where account.id = due.account and account.credits - account.debits >= due.principal + due.interest;

    insert into transfer (id, debit, credit, amount, ledger, code)
    select gen_random_uuid(), control(2), control(3), interest, 156, 10 from due
    union all
    select gen_random_uuid(), account, control(1), principal, 156, 11 from due where paid
    union all
    select gen_random_uuid(), account, control(2), interest, 156, 12 from due where paid;

    update account set debits = account.debits + due.principal + due.interest
    from due where due.paid and account.id = due.account;
    update account set credits = account.credits + sums.principal
    from (select coalesce(sum(principal), 0)::bigint as principal from due where paid) as sums
    where account.id = control(1);
    update account set debits = account.debits + sums.billed, credits = account.credits + sums.paid
    from (
        select coalesce(sum(interest), 0)::bigint as billed,
            coalesce(sum(interest) filter (where paid), 0)::bigint as paid
        from due
    ) as sums
    where account.id = control(2);
    update account set credits = account.credits + sums.billed
    from (select coalesce(sum(interest), 0)::bigint as billed from due) as sums
    where account.id = control(3);

    update loan set
        outstanding = loan.outstanding - case when due.paid then due.principal else 0 end,
        billed_through = today,
        next_due = (today + interval '1 month')::date,
        past_due_principal = loan.past_due_principal + case when due.paid then 0 else due.principal end,
        past_due_interest = loan.past_due_interest + case when due.paid then 0 else due.interest end,
        past_due_since = case when due.paid then loan.past_due_since else coalesce(loan.past_due_since, today) end
    from due where due.id = loan.id;
    get diagnostics changed = row_count;

    update loan set class = case
        when today - past_due_since > 360 then 4
        when today - past_due_since > 270 then 3
        when today - past_due_since > 90 then 2
        else 1 end
    where past_due_since is not null and past_due_since < today and class <> case
        when today - past_due_since > 360 then 4
        when today - past_due_since > 270 then 3
        when today - past_due_since > 90 then 2
        else 1 end;
    get diagnostics classed = row_count;
    return changed + classed;
end
$$;
