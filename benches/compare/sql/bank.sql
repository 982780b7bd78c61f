-- Double entry by hand, as one would write it on PostgreSQL: balances on the account, a row for each transfer, an index
-- for each statement. Where a choice was open it was made in the database's favour: money is bigint, there are no
-- foreign keys, rows leave room for updates in place, work is done in sets and in functions on the server.

create table account (
    id uuid primary key,
    ledger integer not null,
    code smallint not null,
    flags smallint not null,
    debits bigint not null,
    credits bigint not null,
    -- Flag 1: what is not there cannot be spent.
    check (flags & 1 = 0 or debits <= credits)
) with (fillfactor = 50);

create table transfer (
    id uuid primary key,
    debit uuid not null,
    credit uuid not null,
    amount bigint not null check (amount > 0),
    ledger integer not null,
    code smallint not null,
    booked_at timestamptz not null default clock_timestamp()
);
create index on transfer (debit, booked_at);
create index on transfer (credit, booked_at);

-- A batch of transfers, each once whatever is sent again; answers how many were new. Accounts are locked in the order
-- of their ids, so that batches beside each other wait and do not collide.
create function post_batch(asked_ids uuid[], payers uuid[], payees uuid[], moneys bigint[]) returns bigint
language plpgsql as $$
declare
    done bigint;
begin
    perform 1
    from account as held
    join (select unnest(payers) as id union select unnest(payees)) as named on named.id = held.id
    order by held.id for update of held;
    with written as (
        insert into transfer (id, debit, credit, amount, ledger, code)
        select asked.id, asked.debit, asked.credit, asked.amount, 156, 1
        from unnest(asked_ids, payers, payees, moneys) as asked (id, debit, credit, amount)
        on conflict (id) do nothing
        returning debit, credit, amount
    ), sums as (
        select legs.id, sum(legs.debited)::bigint as debited, sum(legs.credited)::bigint as credited
        from (
            select debit as id, amount as debited, 0::bigint as credited from written
            union all
            select credit, 0, amount from written
        ) as legs
        group by legs.id
    ), moved as (
        update account
        set debits = account.debits + sums.debited, credits = account.credits + sums.credited
        from sums where account.id = sums.id
    )
    select count(*) into done from written;
    return done;
end
$$;

-- One transfer, once whatever is sent again; answers whether it was new.
create function post_one(asked uuid, from_account uuid, to_account uuid, money bigint) returns boolean
language plpgsql as $$
begin
    insert into transfer (id, debit, credit, amount, ledger, code)
    values (asked, from_account, to_account, money, 156, 1)
    on conflict (id) do nothing;
    if not found then
        return false;
    end if;
    if from_account < to_account then
        update account set debits = debits + money where id = from_account;
        update account set credits = credits + money where id = to_account;
    else
        update account set credits = credits + money where id = to_account;
        update account set debits = debits + money where id = from_account;
    end if;
    return true;
end
$$;
