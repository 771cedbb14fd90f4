/*
 * ctr.c: a small SPANK plugin (spank(8)) that takes the container options which users of pyxis
 * type. It is not pyxis: an image is an unpacked root directory, given as an absolute path or as a
 * name under images=DIR of plugstack.conf, with '/', ':' and '#' written as '+'. Each task gets a
 * mount namespace of its own and is chrooted into that root. An image with a file "usr-of-host"
 * gets the machine's /usr, read-only.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

SPANK_PLUGIN(ctr, 1)

static char *image, *mounts, *workdir;
static const char *images = "/var/lib/ctr";

enum { IMAGE, MOUNTS, WORKDIR, IGNORED };

static int given(int option, const char *value, int remote)
{
    (void)remote;
    if (option == IMAGE) image = strdup(value);
    if (option == MOUNTS) mounts = strdup(value);
    if (option == WORKDIR) workdir = strdup(value);
    return 0;
}

static struct spank_option options[] = {
    {"container-image", "IMAGE", "root file system to run in", 1, IMAGE, given},
    {"container-mounts", "SRC:DST[:ro],...", "bind mounts", 1, MOUNTS, given},
    {"container-workdir", "DIR", "working directory inside", 1, WORKDIR, given},
    {"container-name", "NAME", "accepted, ignored", 1, IGNORED, given},
    {"container-save", "PATH", "accepted, ignored", 1, IGNORED, given},
    {"container-env", "NAMES", "accepted, ignored", 1, IGNORED, given},
    {"container-mount-home", NULL, "accepted, ignored", 0, IGNORED, given},
    {"no-container-mount-home", NULL, "accepted, ignored", 0, IGNORED, given},
    {"container-remap-root", NULL, "accepted, ignored", 0, IGNORED, given},
    {"no-container-remap-root", NULL, "accepted, ignored", 0, IGNORED, given},
    {"container-entrypoint", NULL, "accepted, ignored", 0, IGNORED, given},
    {"no-container-entrypoint", NULL, "accepted, ignored", 0, IGNORED, given},
    {"container-writable", NULL, "accepted, ignored", 0, IGNORED, given},
    {"container-readonly", NULL, "accepted, ignored", 0, IGNORED, given},
};

int slurm_spank_init(spank_t spank, int count, char **values)
{
    for (int i = 0; i < count; i++)
        if (!strncmp(values[i], "images=", 7)) images = strdup(values[i] + 7);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (spank_option_register(spank, &options[i])) return -1;
    return 0;
}

/* Make a mount point with the folders above it: a folder, or a file for a file. */
static void make_point(char *path, int folder)
{
    for (char *p = path + 1; *p; p++)
        if (*p == '/') { *p = 0; mkdir(path, 0755); *p = '/'; }
    if (folder) { mkdir(path, 0755); return; }
    FILE *file = fopen(path, "a");
    if (file) fclose(file);
}

static int bind(const char *root, const char *source, const char *place, int read_only)
{
    char path[4096];
    struct stat found;
    if (stat(source, &found)) { slurm_error("ctr: mount source %s: %m", source); return -1; }
    snprintf(path, sizeof path, "%s%s", root, place);
    make_point(path, S_ISDIR(found.st_mode));
    if (mount(source, path, NULL, MS_BIND | MS_REC, NULL) ||
        (read_only && mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))) {
        slurm_error("ctr: mount %s on %s: %m", source, path);
        return -1;
    }
    return 0;
}

static int bind_all(const char *root)
{
    static const char *machine[] = {"/proc", "/dev", "/sys"};
    char usr[4200];
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++)
        if (bind(root, machine[i], machine[i], 0)) return -1;
    if (bind(root, "/etc/hosts", "/etc/hosts", 1)) return -1;
    if (bind(root, "/etc/passwd", "/etc/passwd", 1)) return -1;
    snprintf(usr, sizeof usr, "%s/usr-of-host", root);
    if (!access(usr, F_OK) && bind(root, "/usr", "/usr", 1)) return -1;
    char *rest = NULL;
    for (char *one = mounts ? strtok_r(mounts, ",", &rest) : NULL; one; one = strtok_r(NULL, ",", &rest)) {
        char *place = strchr(one, ':'), *flag = NULL;
        if (place) { *place++ = 0; flag = strchr(place, ':'); }
        if (flag) *flag++ = 0;
        if (bind(root, one, place ? place : one, flag && !strcmp(flag, "ro"))) return -1;
    }
    return 0;
}

int slurm_spank_task_init_privileged(spank_t spank, int count, char **values)
{
    char root[4096];
    struct stat found;
    (void)spank; (void)count; (void)values;
    if (!image) return 0;
    if (image[0] == '/') {
        snprintf(root, sizeof root, "%s", image);
    } else {
        int n = snprintf(root, sizeof root, "%s/", images);
        snprintf(root + n, sizeof root - n, "%s", image);
        for (char *p = root + n; *p; p++)
            if (*p == '/' || *p == ':' || *p == '#') *p = '+';
    }
    if (stat(root, &found) || !S_ISDIR(found.st_mode)) {
        slurm_error("ctr: no such image: %s", image);
        return -1;
    }
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount(root, root, NULL, MS_BIND | MS_REC, NULL)) {
        slurm_error("ctr: namespace: %m");
        return -1;
    }
    if (bind_all(root)) return -1;
    if (chroot(root)) { slurm_error("ctr: chroot: %m"); return -1; }
    return chdir("/");
}

/* Between the two hooks slurmstepd goes back to the job's own folder: the workdir comes here. */
int slurm_spank_task_init(spank_t spank, int count, char **values)
{
    (void)spank; (void)count; (void)values;
    if (image && workdir && chdir(workdir)) {
        slurm_error("ctr: chdir %s: %m", workdir);
        return -1;
    }
    return 0;
}
