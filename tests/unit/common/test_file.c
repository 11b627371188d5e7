#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"

enum { SERVICE_UID = 4711, SERVICE_GID = 4712 };

/* The folder of the test, with room for one name behind it. */
struct folder {
    char path[64];
    char file[96];
};

static int make_folder(void **state)
{
    struct folder *folder = xalloc(sizeof(*folder));

    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/test_file.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->file, sizeof(folder->file), "%s/secret", folder->path);
    *state = folder;
    return 0;
}

/* Calls it with every name in the folder; returns their number. */
static unsigned each_name(const char *path, void (*call)(const char *dir, const char *name))
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count++;
            if (call) {
                call(path, entry->d_name);
            }
        }
    }
    assert_int_equal(closedir(dir), 0);
    return count;
}

static void remove_name(const char *dir, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(remove(path), 0);
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;

    each_name(folder->path, remove_name);
    assert_int_equal(rmdir(folder->path), 0);
    free(folder);
    return 0;
}

static void assert_holds(const char *path, const char *text)
{
    struct buf bytes = {0};

    assert_int_equal(file_read(path, 1 << 20, &bytes, NULL), ST_OK);
    assert_string_equal(bytes.data, text);
    buf_free(&bytes);
}

static enum status replace(const char *path, struct slice data, struct err *err)
{
    struct file_draft *draft = NULL;
    enum status st = file_draft_open(path, &draft, err);
    bool synced = false;

    if (st == ST_OK) {
        st = file_draft_put(draft, data, &synced, err);
        assert_true(synced || st != ST_OK);
    }
    file_draft_close(draft);
    return st;
}

static void assert_replaces(const char *path, const char *text)
{
    struct err err = {0};

    if (replace(path, slice_of(text), &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
    assert_holds(path, text);
}

static struct file_draft *begin(const struct folder *folder, size_t bytes)
{
    struct file_draft *draft = NULL;

    assert_int_equal(file_draft_open(folder->file, &draft, NULL), ST_OK);
    assert_int_equal(file_draft_reserve(draft, bytes, NULL), ST_OK);
    return draft;
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode;
}

static void a_file_is_made_and_replaced_and_nothing_else_is_left(void **state)
{
    struct folder *folder = *state;

    assert_replaces(folder->file, "first");
    assert_replaces(folder->file, "");
    assert_replaces(folder->file, "third");
    assert_int_equal(each_name(folder->path, NULL), 1);
}

static void only_its_owner_may_read_it_whatever_the_old_mode_and_the_umask(void **state)
{
    struct folder *folder = *state;
    mode_t old = umask(0);

    assert_replaces(folder->file, "first");
    assert_int_equal(mode_of(folder->file), S_IFREG | 0600);
    assert_int_equal(chmod(folder->file, 0666), 0);
    assert_replaces(folder->file, "second");
    assert_int_equal(mode_of(folder->file), S_IFREG | 0600);
    (void)umask(old);
}

static void a_link_is_replaced_and_its_target_is_not_touched(void **state)
{
    struct folder *folder = *state;
    char target[96];

    (void)snprintf(target, sizeof(target), "%s/target", folder->path);
    assert_replaces(target, "untouched");
    assert_int_equal(symlink(target, folder->file), 0);
    assert_replaces(folder->file, "new");
    assert_int_equal(mode_of(folder->file) & S_IFMT, S_IFREG);
    assert_holds(target, "untouched");
}

static void assert_owner(const char *path, uid_t uid, gid_t gid)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_uid, uid);
    assert_int_equal(info.st_gid, gid);
}

static void
a_file_that_root_writes_belongs_to_the_owner_of_the_old_one_or_the_folder(void **state)
{
    struct folder *folder = *state;

    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chown(folder->path, SERVICE_UID, SERVICE_GID), 0);
    assert_replaces(folder->file, "made: the folder's owner");
    assert_owner(folder->file, SERVICE_UID, SERVICE_GID);
    assert_int_equal(chown(folder->file, SERVICE_UID + 1, 0), 0);
    assert_replaces(folder->file, "replaced: the old file's owner");
    assert_owner(folder->file, SERVICE_UID + 1, 0);
}

/* A file size limit acts like a disk that gets full in the middle of a write. */
static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failure_leaves_the_old_bytes_and_no_other_file(void **state)
{
    struct folder *folder = *state;
    static char big[10000];
    struct file_draft *draft = NULL;
    struct err err = {0};
    bool synced = false;

    assert_replaces(folder->file, "old");
    assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    limit_files_to(4096);
    assert_int_equal(file_draft_open(folder->file, &draft, &err), ST_OK);
    assert_int_equal(file_draft_reserve(draft, sizeof(big), &err), ST_IO);
    assert_int_equal(err.sys_errno, EFBIG);
    assert_non_null(strstr(err.text, folder->file));
    assert_int_equal(each_name(folder->path, NULL), 1);
    assert_int_equal(file_draft_reserve(draft, 1, &err), ST_OK);
    assert_int_equal(file_draft_put(draft, (struct slice){big, sizeof(big)}, &synced, &err),
                     ST_IO);
    limit_files_to(RLIM_INFINITY);
    assert_int_equal(err.sys_errno, EFBIG);
    assert_non_null(strstr(err.text, folder->file));
    file_draft_close(draft);
    assert_holds(folder->file, "old");
    assert_int_equal(each_name(folder->path, NULL), 1);
}

static void room_is_reserved_at_once_and_the_rest_is_given_back(void **state)
{
    struct folder *folder = *state;
    struct file_draft *draft = begin(folder, 100000);
    struct stat info;
    bool synced = false;
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/.secret.new", folder->path);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_blocks * 512 >= 100000);
    assert_int_equal(file_draft_put(draft, SLICE("short"), &synced, NULL), ST_OK);
    assert_true(synced);
    file_draft_close(draft);
    assert_holds(folder->file, "short");
    assert_int_equal(stat(folder->file, &info), 0);
    assert_true(info.st_blocks * 512 < 100000);
}

/* Dies like a process that is killed before it renames its file. */
static void leave_behind(const struct folder *folder)
{
    char path[96];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/.secret.new", folder->path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "left behind", 11), 11);
    assert_int_equal(close(fd), 0);
}

static void a_file_left_by_a_killed_process_is_removed_by_the_next_draft(void **state)
{
    struct folder *folder = *state;

    leave_behind(folder);
    assert_replaces(folder->file, "new");
    assert_int_equal(mode_of(folder->file), S_IFREG | 0600);
    assert_int_equal(each_name(folder->path, NULL), 1);
    leave_behind(folder);
    file_draft_close(begin(folder, 1));
    assert_int_equal(each_name(folder->path, NULL), 1);
}

static void a_link_in_the_way_of_the_new_file_is_removed_not_followed(void **state)
{
    struct folder *folder = *state;
    char target[96], link[96];

    (void)snprintf(target, sizeof(target), "%s/target", folder->path);
    (void)snprintf(link, sizeof(link), "%s/.secret.new", folder->path);
    assert_replaces(target, "untouched");
    assert_int_equal(symlink(target, link), 0);
    assert_replaces(folder->file, "new");
    assert_int_equal(mode_of(folder->file) & S_IFMT, S_IFREG);
    assert_holds(target, "untouched");
    assert_int_equal(each_name(folder->path, NULL), 2);
}

static void a_path_without_a_folder_is_in_the_working_directory(void **state)
{
    struct folder *folder = *state;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(before >= 0);
    assert_int_equal(chdir(folder->path), 0);
    assert_replaces("secret", "first");
    assert_int_equal(fchdir(before), 0);
    assert_int_equal(close(before), 0);
    assert_holds(folder->file, "first");
    assert_int_equal(each_name(folder->path, NULL), 1);
}

static void a_folder_in_its_place_is_an_error_and_stays(void **state)
{
    struct folder *folder = *state;
    struct err err = {0};

    assert_int_equal(mkdir(folder->file, 0700), 0);
    assert_int_equal(replace(folder->file, SLICE("x"), &err), ST_IO);
    assert_int_equal(mode_of(folder->file) & S_IFMT, S_IFDIR);
    assert_int_equal(each_name(folder->path, NULL), 1);
}

static void a_missing_folder_is_an_error(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(replace("/tmp/no/such/folder/x", SLICE("x"), &err), ST_IO);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(replace("/tmp/no/such/folder/x", SLICE("x"), NULL), ST_IO);
}

static void a_draft_that_is_not_put_in_place_leaves_no_trace(void **state)
{
    struct folder *folder = *state;

    file_draft_close(begin(folder, 5000));
    assert_int_equal(each_name(folder->path, NULL), 0);
    assert_replaces(folder->file, "old");
    file_draft_close(begin(folder, 0));
    assert_holds(folder->file, "old");
    assert_int_equal(each_name(folder->path, NULL), 1);
    file_draft_close(NULL);
}

static void a_pipe_is_refused_without_waiting_for_it(void **state)
{
    struct folder *folder = *state;
    struct buf bytes = {0};
    struct err err = {0};

    assert_int_equal(mkfifo(folder->file, 0600), 0);
    (void)alarm(10); /* rather than wait for ever */
    assert_int_equal(file_read_regular(folder->file, 100, &bytes, &err), ST_INVALID);
    (void)alarm(0);
    assert_non_null(strstr(err.text, folder->file));
    buf_free(&bytes);
}

static void a_link_to_a_regular_file_is_read(void **state)
{
    struct folder *folder = *state;
    struct buf bytes = {0};
    char link[96];

    (void)snprintf(link, sizeof(link), "%s/link", folder->path);
    assert_replaces(folder->file, "behind a link");
    assert_int_equal(symlink(folder->file, link), 0);
    assert_int_equal(file_read_regular(link, 100, &bytes, NULL), ST_OK);
    assert_string_equal(bytes.data, "behind a link");
    buf_free(&bytes);
}

struct reader {
    const char *path;
    atomic_bool stop;
    atomic_uint mixed, seen;
};

/* Reads again and again: each time one letter only, and the whole length. */
static void *read_on(void *arg)
{
    struct reader *reader = arg;

    while (!atomic_load(&reader->stop)) {
        struct buf bytes = {0};
        bool whole = file_read(reader->path, 1 << 20, &bytes, NULL) == ST_OK;

        whole = whole && bytes.len == 20000 &&
                strspn(bytes.data, bytes.data[0] == 'a' ? "a" : "b") == bytes.len;
        atomic_fetch_add(whole ? &reader->seen : &reader->mixed, 1);
        buf_free(&bytes);
    }
    return NULL;
}

static void a_concurrent_reader_finds_the_old_or_the_new_bytes_never_a_part(void **state)
{
    struct folder *folder = *state;
    struct reader reader = {.path = folder->file};
    static char letters[2][20000];
    pthread_t thread;

    memset(letters[0], 'a', sizeof(letters[0]));
    memset(letters[1], 'b', sizeof(letters[1]));
    for (unsigned i = 0; i < 300 || atomic_load(&reader.seen) < 300; i++) {
        struct slice data = {letters[i % 2], sizeof(letters[0])};

        assert_int_equal(replace(folder->file, data, NULL), ST_OK);
        if (i == 0) {
            assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
        }
    }
    atomic_store(&reader.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&reader.mixed), 0);
}

static void another_draft_in_the_folder_waits_until_the_first_is_closed(void **state)
{
    struct folder *folder = *state;
    struct err err = {0};
    struct file_draft *first = begin(folder, 1), *second = NULL;
    bool synced = false;

    assert_int_equal(file_draft_open(folder->file, &second, &err), ST_BUSY);
    assert_null(second);
    assert_int_equal(file_draft_put(first, SLICE("first"), &synced, &err), ST_OK);
    assert_int_equal(file_draft_open(folder->file, &second, &err), ST_BUSY);
    assert_int_equal(file_draft_put(first, SLICE("again"), &synced, &err), ST_OK);
    file_draft_close(first);
    assert_holds(folder->file, "again");
    assert_int_equal(file_draft_open(folder->file, &second, &err), ST_OK);
    file_draft_close(second);
    assert_int_equal(each_name(folder->path, NULL), 1);
}

static void assert_real(const char *path, const char *real)
{
    char *found = file_real_path(path);

    if (real == NULL) {
        assert_null(found);
    } else {
        assert_string_equal(found, real);
    }
    free(found);
}

static void
the_real_path_is_behind_every_link_also_of_a_file_that_is_not_there_yet(void **state)
{
    struct folder *folder = *state;
    char link[128], second[128], circle[128], missing[128];

    snprintf(link, sizeof(link), "%s/link", folder->path);
    snprintf(second, sizeof(second), "%s/second", folder->path);
    snprintf(circle, sizeof(circle), "%s/circle", folder->path);
    snprintf(missing, sizeof(missing), "%s/no/such/folder", folder->path);
    assert_int_equal(symlink(strrchr(folder->file, '/') + 1, link), 0); /* relative */
    assert_int_equal(symlink(link, second), 0);
    assert_int_equal(symlink(circle, circle), 0);
    assert_real(folder->file, folder->file);
    assert_real(second, folder->file);
    assert_int_equal(replace(folder->file, SLICE("x"), NULL), ST_OK);
    assert_real(second, folder->file);
    assert_real(circle, NULL);
    assert_real(missing, NULL);
    assert_real("/tmp", "/tmp");
    assert_real("/not-there", "/not-there");
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_file_is_made_and_replaced_and_nothing_else_is_left),
        IN_A_FOLDER(only_its_owner_may_read_it_whatever_the_old_mode_and_the_umask),
        IN_A_FOLDER(a_link_is_replaced_and_its_target_is_not_touched),
        IN_A_FOLDER(a_file_that_root_writes_belongs_to_the_owner_of_the_old_one_or_the_folder),
        IN_A_FOLDER(a_failure_leaves_the_old_bytes_and_no_other_file),
        IN_A_FOLDER(room_is_reserved_at_once_and_the_rest_is_given_back),
        IN_A_FOLDER(a_file_left_by_a_killed_process_is_removed_by_the_next_draft),
        IN_A_FOLDER(a_link_in_the_way_of_the_new_file_is_removed_not_followed),
        IN_A_FOLDER(a_path_without_a_folder_is_in_the_working_directory),
        IN_A_FOLDER(a_folder_in_its_place_is_an_error_and_stays),
        IN_A_FOLDER(a_missing_folder_is_an_error),
        IN_A_FOLDER(a_draft_that_is_not_put_in_place_leaves_no_trace),
        IN_A_FOLDER(a_pipe_is_refused_without_waiting_for_it),
        IN_A_FOLDER(a_link_to_a_regular_file_is_read),
        IN_A_FOLDER(a_concurrent_reader_finds_the_old_or_the_new_bytes_never_a_part),
        IN_A_FOLDER(another_draft_in_the_folder_waits_until_the_first_is_closed),
        IN_A_FOLDER(the_real_path_is_behind_every_link_also_of_a_file_that_is_not_there_yet),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
