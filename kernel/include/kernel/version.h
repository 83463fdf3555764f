/* What this build is called. */
#pragma once

extern const char tarry_version[]; /* "0.1.0" */
extern const char tarry_build[]; /* source revision, "-dirty" behind it if it was changed */
extern const char tarry_arch[]; /* "x86_64", "arm64" */
