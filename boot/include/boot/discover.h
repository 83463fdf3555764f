/* The step of discovery that needs page tables: firmware tables, found and read. */
#pragma once

struct bootinfo;

/*
 * boot_discover - fill bi from ACPI or the device tree, and map the devices named
 * there that the port uses. Each boot/<arch>/ has its own. Boot CPU, after kmap_init().
 */
void boot_discover(struct bootinfo *bi);
