-- Row-level security for the gateway's tables, which the gateway makes when it starts against
-- VTON_DATABASE__URL. Run it after the first start, as the role that the gateway connects as (the owner
-- of a table is not held back by its policies); again does nothing more.
--
-- Rows name their owner as the gateway does: 'user:<auth.uid()>'. An owner reads what is his; writing
-- is the gateway's. Anonymous visitors read nothing.

create or replace function public.tryon_owner() returns text
    language sql stable
    set search_path = ''
    as $$ select 'user:' || (select auth.uid())::text $$;

revoke execute on function public.tryon_owner() from public;
grant execute on function public.tryon_owner() to authenticated;

-- Everything is closed first, whatever a later version of the gateway adds to the list below.
do $$
declare
    named text;
begin
    for named in
        select tablename from pg_catalog.pg_tables
        where schemaname = 'public' and tableowner = current_user
    loop
        execute format('alter table public.%I enable row level security', named);
        execute format('revoke all on public.%I from anon, authenticated', named);
    end loop;
end
$$;

grant select on public.sessions, public.session_items, public.session_events to authenticated;

drop policy if exists owner_reads on public.sessions;
create policy owner_reads on public.sessions for select to authenticated
    using (
        owner = public.tryon_owner()
        and not is_forgotten
        and expires_at > extract(epoch from now())
    );

-- Of items and events, those whose session he sees: the subquery is held to the policy above.
drop policy if exists owner_reads on public.session_items;
create policy owner_reads on public.session_items for select to authenticated
    using (
        owner = public.tryon_owner()
        and exists (select from public.sessions s where s.id = session_id)
    );

drop policy if exists owner_reads on public.session_events;
create policy owner_reads on public.session_events for select to authenticated
    using (exists (select from public.sessions s where s.id = session_id));
