# A Modbus RTU slave on a terminal, made with another implementation of the protocol.
# python3 modbus-slave.py DEVICE: unit 1 answers on all four tables; it prints "ready", and what is written to it.
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartSerialServer
from pymodbus.transaction import ModbusRtuFramer


class Told(ModbusSequentialDataBlock):
    def __init__(self, name, values):
        super().__init__(0, values)
        self.name = name

    def setValues(self, address, values):
        super().setValues(address, values)
        print(f"{self.name} {address} {[int(value) for value in values]}", flush=True)


REGISTERS = [0] * 100
REGISTERS[0] = 2653
REGISTERS[1] = 0xFFF6
REGISTERS[10:12] = [0x41C8, 0x0000]
REGISTERS[12:14] = [0x5678, 0x1234]

slave = ModbusSlaveContext(
    di=ModbusSequentialDataBlock(0, [0, 1, 0, 1]),
    co=Told("coil", [0] * 8),
    hr=Told("register", list(REGISTERS)),
    ir=ModbusSequentialDataBlock(0, list(REGISTERS)),
    zero_mode=True,
)
print("ready", flush=True)
StartSerialServer(
    context=ModbusServerContext(slaves={1: slave}, single=False),
    framer=ModbusRtuFramer,
    port=sys.argv[1],
    baudrate=9600,
    timeout=0.05,
    ignore_missing_slaves=True,
)
