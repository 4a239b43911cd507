-- The private bucket of photos and results. Run once, as the owner of the project; again does nothing.
-- The gateway writes there by the S3 protocol (VTON_STORAGE__URL=s3://tryon) with keys of its own, and
-- hands pictures out by its signed links. Folders: uploads/… and results/… are the gateway's alone;
-- people/<auth.uid()>/… is what an owner's own client may keep and read.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('tryon', 'tryon', false, 10485760, array['image/jpeg', 'image/png', 'image/webp'])
on conflict (id) do update set
    public = false,
    file_size_limit = excluded.file_size_limit,
    allowed_mime_types = excluded.allowed_mime_types;

alter table storage.objects enable row level security;

-- Nobody without a sign-in has a policy here: an anonymous visitor reaches what a signed link gives.
drop policy if exists tryon_read on storage.objects;
create policy tryon_read on storage.objects for select to authenticated
    using (
        bucket_id = 'tryon'
        and (storage.foldername(name))[1] = 'people'
        and (storage.foldername(name))[2] = (select auth.uid())::text
    );

drop policy if exists tryon_write on storage.objects;
create policy tryon_write on storage.objects for insert to authenticated
    with check (
        bucket_id = 'tryon'
        and (storage.foldername(name))[1] = 'people'
        and (storage.foldername(name))[2] = (select auth.uid())::text
    );

drop policy if exists tryon_erase on storage.objects;
create policy tryon_erase on storage.objects for delete to authenticated
    using (
        bucket_id = 'tryon'
        and (storage.foldername(name))[1] = 'people'
        and (storage.foldername(name))[2] = (select auth.uid())::text
    );
